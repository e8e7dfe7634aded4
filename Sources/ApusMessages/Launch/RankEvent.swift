import ApusSystem

/// What a supervisor reports while its ranks run.
package enum RankEvent: Sendable {
  case started(rank: Int, process: Int32)
  /// The process is the rank now: the one started, or one that it started in turn.
  case joined(rank: Int, process: Int32)
  /// It has handed over what its body came to.
  case returned(rank: Int, OwnedDescriptor)
  case finalized(rank: Int)
  /// Its connection has ended. Its process may have ended too, and its number may soon be another's.
  case disconnected(rank: Int)
  /// Reported before anything is done about it, so that peers can be told first.
  case failed(RankFailure)
  case ended(rank: Int, status: ExitStatus)
}

/// What was wrong with the end of a rank.
package struct RankFailure: Sendable {
  package enum Reason: Sendable, Hashable {
    /// It ended by a signal or with a status other than 0.
    case status(ExitStatus)
    /// It had joined, and ended with the status 0 without a word: its peers may wait for it.
    case unfinalized
    /// It had joined and hung up, and its process goes on.
    case hungUp
    /// It ended with the status 0 and never joined the others, who do talk to each other.
    case neverJoined
  }

  package let rank: Int
  /// The process that was the rank.
  package let process: Int32
  package let reason: Reason
  /// The last that it wrote to standard error, up to 8 KiB.
  package let standardError: String

  /// For example `rank 2 (process 4711) ended with signal 9 (SIGKILL: killed)`.
  package var summary: String {
    let what =
      switch reason {
      case .status(let status): "ended with \(status)"
      case .unfinalized: "left the others: it joined them, and ended with exit code 0 before it had finalized"
      case .hungUp: "left the others: it joined them, and hung up before it had finalized"
      case .neverJoined: "ended with exit code 0 and never joined the others, who wait for it"
      }
    return "rank \(rank) (process \(process)) \(what)"
  }

  /// What Swift's runtime said of a trap, if it did: its backtrace, and those of the ranks that waited for this one, come
  /// after it.
  package var trapMessage: String? {
    for line in standardError.split(separator: "\n") {
      if let found = line.firstRange(of: "Fatal error: ") {
        return String(line[found.lowerBound...].prefix(500))
      }
    }
    return nil
  }

  /// As a shell counts: the exit code, or 128 and the signal.
  package var exitCode: Int32 {
    switch reason {
    case .status(.exited(let code)): code
    case .status(.signalled(let signal, _)): 128 + signal
    case .status(.unknown), .unfinalized, .hungUp, .neverJoined: 1
    }
  }
}

/// How a run of ranks ended.
package struct RankOutcome: Sendable {
  /// The first that failed.
  package internal(set) var failure: RankFailure?
  /// How many failed, with those that were ended because of the first.
  package internal(set) var failures = 0
  /// Those that did not end by themselves after the failure.
  package internal(set) var ended: Set<Int> = []
  /// Those that had not returned when the time of all was over.
  package internal(set) var pastLimit: Set<Int> = []
  /// The signal that asked for the end.
  package internal(set) var signal: Int32?
  /// How each process ended that was started. `.unknown` also if it could not be ended.
  package internal(set) var statuses: [ExitStatus]
  /// Processes that not even SIGKILL could end in time.
  package internal(set) var left: [Int32] = []
  /// Whether our own standard output was closed by whoever read it.
  package internal(set) var isOutputClosed = false
  /// Why some of what ranks printed could not be written, as an errno; 0: nothing was lost.
  package internal(set) var outputLoss: Int32 = 0

  /// 0, or what the first failure amounts to.
  package var exitCode: Int32 { failure?.exitCode ?? 0 }
}
