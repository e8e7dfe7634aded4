import ApusSystem
import ApusWire
import CApus
import Glibc
import Synchronization

/// One call of `withRanks`: starts the ranks, and makes a result of what each came to.
struct RankJob<Output: Sendable>: Sendable {
  private let ranks: LocalRanks
  private let count: Int

  /// Throws `MessageError`: nothing was started then.
  init(_ count: Int, _ function: RankFunction<Output>, _ timeLimit: Duration?) throws {
    guard 1...RankCredential.mostRanks ~= count else {
      throw MessageError(.invalidArgument, LaunchError.count(count).message)
    }
    guard timeLimit ?? .seconds(1) > .zero else {
      throw MessageError(.invalidArgument, "a time limit must be positive, not \(timeLimit ?? .zero)")
    }
    let definition = try function.definition()
    (self.count, self.timeLimit) = (count, timeLimit)
    do {
      var command = try ProgramCommand.ofThisProgram(
        as: APUS_RANK_ARGUMENT, share: max(1, Processors.available / count))
      let parcel = try RankParcel.make(.value, definition.bytes)
      // The request has the number alone; `parcel` keeps the descriptor open.
      command.descriptors = [(parcel.number, Self.functionNumber)]
      var options = RankOptions()
      options.forwardsInput = false
      // What a rank does is its own result. The others hear of its failure where they wait for it.
      options.failure = .spares
      options.timeLimit = timeLimit
      (options.grace, options.lastGrace) = (.milliseconds(100), .milliseconds(100))
      ranks = try LocalRanks(command, count: count, options: options)
      self.parcel = parcel
      MainVariables.warnOnce()
    } catch let problem as ProgramCommand.Problem {
      throw MessageError(.startUpFailed, problem.description)
    } catch let error as ProcessError {
      throw MessageError(.noResources, "\(error)", underlying: error)
    }
  }

  private let parcel: OwnedDescriptor
  private let timeLimit: Duration?
  private static var functionNumber: Int32 { 3 }

  @available(*, noasync)
  func blockingResults() throws -> [Result<Output, MessageError>] { try results(run()) }

  func results() async throws -> [Result<Output, MessageError>] {
    try Task.checkCancellation()
    let supervisor = ranks.supervisor
    let ledger = try await withTaskCancellationHandler {
      try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<RankLedger, any Error>) in
        do {
          try NativeThread.start(name: "apus-ranks") { continuation.resume(with: Result { try run() }) }
        } catch {
          continuation.resume(throwing: MessageError(.noResources, "\(error)", underlying: error))
        }
      }
    } onCancel: {
      supervisor.forward(SIGTERM)
    }
    try Task.checkCancellation()
    return results(ledger)
  }

  @available(*, noasync)
  private func run() throws -> RankLedger {
    let ledger = Locked(RankLedger(count: count))
    do {
      let outcome = try withExtendedLifetime(parcel) {
        try ranks.run { event in ledger.withLock { $0.note(event) } }
      }
      return ledger.withLock { ledger in
        ledger.outcome = outcome
        return ledger
      }
    } catch let error as LaunchError {
      if ranks.supervisor.hasLostDescriptors.load(ordering: .relaxed) {
        // Other files may have these numbers too.
        for descriptor in ledger.withLock({ $0.parcels }) + [parcel] { _ = descriptor?.take() }
        throw MessageError(.noResources, error.message, underlying: error)
      }
      throw MessageError(.noResources, "the ranks could not be started: \(error)", underlying: error)
    }
  }

  /// Decodes, on the caller's own thread.
  private func results(_ ledger: RankLedger) -> [Result<Output, MessageError>] {
    (0..<count).map { rank in
      let result = ledger.parcels[rank].map { parcel in
        Result { () throws(MessageError) in try value(parcel, rank) }
      }
      if case .success? = result { return result! }
      // What it threw after that may be the end of another.
      if let timeLimit, ledger.outcome?.pastLimit.contains(rank) == true {
        return .failure(ledger.lateness(of: rank, timeLimit))
      }
      return result ?? .failure(ledger.failure(of: rank))
    }
  }

  private func value(_ descriptor: OwnedDescriptor, _ rank: Int) throws(MessageError) -> Output {
    do {
      let parcel = try RankParcel(descriptor)
      return try parcel.withBytes { bytes in
        guard parcel.kind == .value else { throw try FailureReport(decoding: bytes) }
        return try RankOutput<Output>.decode(bytes)
      }
    } catch let report as FailureReport {
      throw MessageError(report, rank: rank)
    } catch {
      throw MessageError(
        .notDecodable, "what rank \(rank) gave could not be decoded: \(error)", rank: rank, underlying: error)
    }
  }
}

/// What is known of the ranks of a call.
struct RankLedger: Sendable {
  var parcels: [OwnedDescriptor?]
  private var processes: [Int32?]
  private var failures: [RankFailure?]
  var outcome: RankOutcome?

  init(count: Int) {
    parcels = Array(repeating: nil, count: count)
    processes = Array(repeating: nil, count: count)
    failures = Array(repeating: nil, count: count)
  }

  mutating func note(_ event: RankEvent) {
    switch event {
    case .started(let rank, let process), .joined(let rank, let process): processes[rank] = process
    case .returned(let rank, let parcel): parcels[rank] = parcels[rank] ?? parcel
    case .failed(let failure): failures[failure.rank] = failures[failure.rank] ?? failure
    case .finalized, .disconnected, .ended: break
    }
  }

  /// Of a rank that has taken too long.
  func lateness(of rank: Int, _ limit: Duration) -> MessageError {
    var error = MessageError(
      .timeLimitExceeded, "rank \(rank) had not returned after \(limit), the time limit, and was ended",
      rank: rank)
    (error.process, error.status) = (processes[rank], outcome?.statuses[rank])
    error.standardError = failures[rank]?.standardError ?? ""
    return error
  }

  /// Why a rank has given nothing.
  func failure(of rank: Int) -> MessageError {
    let status = outcome?.statuses[rank] ?? .unknown
    let process = failures[rank]?.process ?? processes[rank] ?? 0
    var text = "rank \(rank) (process \(process)) ended with \(status) before its body had returned"
    if let first = outcome?.failure, first.rank != rank, outcome?.ended.contains(rank) == true {
      text += "; it was ended because rank \(first.rank) had ended the job"
    }
    var error = MessageError(.rankFailed, text, rank: rank)
    (error.process, error.status) = (process, status)
    error.standardError = failures[rank]?.standardError ?? ""
    return error
  }
}

extension MessageError {
  /// What a rank of `withRanks` reported.
  init(_ report: FailureReport, rank: Int) {
    // An error of ours says which rank it is about.
    if report.phase == .call, let own = report.error as? MessageError {
      self = own
      return
    }
    let (code, text): (Code, String) =
      switch report.phase {
      case .call: (.thrown, "its body threw \(report.typeName)")
      case .function: (.functionNotNameable, "the function could not be found there")
      case .decodeContext, .decodeArgument: (.notDecodable, "the value for it could not be decoded")
      case .encodeResult: (.notEncodable, "what its body gave could not be encoded")
      }
    self.init(code, "rank \(rank): \(text): \(report.text)", rank: rank, underlying: report.error)
  }
}
