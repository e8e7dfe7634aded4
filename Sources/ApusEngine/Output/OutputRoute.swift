package import ApusSystem
import CApus
import Glibc

/// Where the output of a pool's workers goes.
package final class OutputRoute: Sendable {
  /// What prefixes name beside the worker: its pool, or its rank.
  private let label: String?
  private let width: Int
  private let destination: WorkerOutput
  private let files: (output: LineTarget, errors: LineTarget)?
  let handler: LineHandler?
  /// How often others had lost something before, on targets that we share with them.
  private let lossesBefore: Int
  private let settler = Settler()
  /// A fork has none of the threads, and locks may have been held when it was made.
  private let forks = apus_fork_count()
  private var isOfAnotherProcess: Bool { forks != apus_fork_count() }

  /// - Parameters:
  ///   - label: What prefixes name beside the worker.
  ///   - workers: How many they are.
  package init(_ destination: WorkerOutput, label: String?, workers: Int) throws(ProcessError) {
    (self.destination, self.label) = (destination, label)
    width = String(max(1, workers) - 1).utf8.count
    var files: (LineTarget, LineTarget)?
    var handler: LineHandler?
    switch destination {
    case .descriptors(let output, let errors):
      let first = try Self.target(output)
      // One target for one file, or their lines would run into each other.
      files = (first, Self.areSame(output, errors) ? first : try Self.target(errors))
    case .handler(let function): handler = try LineHandler(function)
    case .relayed, .prefixed, .discarded: break
    }
    (self.files, self.handler) = (files, handler)
    lossesBefore = Self.targets(files).reduce(0) { $0 + $1.losses }
  }

  /// For a worker whose lines are to be known by their tasks; nil if nobody wants to know.
  package func lines(of place: Int) -> WorkerLines? {
    handler.map { WorkerLines(worker: place, handler: $0) }
  }

  /// A relay for one stream of the worker at a place.
  func relay(
    _ source: OwnedDescriptor, _ stream: WorkerLine.Stream, of place: Int, _ lines: WorkerLines?
  ) throws(ProcessError) -> LineRelay {
    switch destination {
    case .relayed: return try LineRelay(source: source, target: target(stream))
    case .prefixed:
      let target = target(stream)
      let prefix = LinePrefix(place, of: label, width: width, target: target)
      return try LineRelay(source: source, target: nil, pace: target) { prefix.write($0) }
    case .discarded: return try LineRelay(source: source, target: nil)
    case .descriptors: return try LineRelay(source: source, target: target(stream))
    case .handler:
      return try LineRelay(source: source, target: nil, pace: handler) { lines?.accept($0, stream) }
    }
  }

  /// On a descriptor of our own: the program may close its own when the pool has ended, and not all be written by then.
  private static func target(_ number: Int32) throws(ProcessError) -> LineTarget {
    let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { throw ProcessError(errno: errno, doing: "copy descriptor \(number)") }
    return LineTarget(OwnedDescriptor(copy))
  }

  private static func areSame(_ one: Int32, _ other: Int32) -> Bool {
    var (first, second) = (stat(), stat())
    return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev
      && first.st_ino == second.st_ino
  }

  private func target(_ stream: WorkerLine.Stream) -> LineTarget {
    switch stream {
    case .output: files?.output ?? .standardOutput
    case .errors: files?.errors ?? .standardError
    }
  }

  // MARK: Waiting until it is there

  /// Whether what has come from the workers is where it goes.
  @inline(__always)
  package var isSettled: Bool {
    if handler == nil, files == nil { return StandardStreams.isSettled }
    if isOfAnotherProcess { return true }
    if let handler { return handler.isSettled }
    if let files { return files.output.isSettled && files.errors.isSettled }
    return true
  }

  /// Waits until it is, but not for long: nobody may take it.
  package func settle() {
    if handler == nil, files == nil { return StandardStreams.settle() }
    if isOfAnotherProcess { return }
    handler?.settle()
    files?.output.settle()
    files?.errors.settle()
  }

  /// The same for callers on threads that must not block.
  package func settled() async {
    if handler == nil, files == nil { return await StandardStreams.settled() }
    await settler.settled { self.settle() }
  }

  /// Runs `body`, which waits for the pool.
  @inline(__always)
  package func whileWaiting<Result>(_ body: () -> Result) -> Result {
    if let handler, !isOfAnotherProcess { return handler.whileWaiting(body) }
    return body()
  }

  /// Why some of it could not be written, as an errno; 0: nothing was lost.
  var loss: Int32 {
    switch destination {
    case .discarded, .handler: return 0
    case .relayed, .prefixed, .descriptors:
      let targets = Self.targets(files)
      guard targets.reduce(0, { $0 + $1.losses }) > lossesBefore else { return 0 }
      return targets.map(\.loss).first { $0 != 0 } ?? 0
    }
  }

  private static func targets(_ files: (output: LineTarget, errors: LineTarget)?) -> [LineTarget] {
    files.map { [$0.output, $0.errors] } ?? [.standardOutput, .standardError]
  }

  /// The last of it has come.
  package func end() {
    if let handler, !isOfAnotherProcess { handler.end() } else { settle() }
  }
}
