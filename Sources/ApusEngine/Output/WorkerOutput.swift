/// Where what workers print goes: see `ProcessPool.Configuration.output`.
public enum WorkerOutput: Sendable {
  /// To the program's own standard output and error, in whole lines.
  case relayed
  /// The same, each line behind its worker: `[2] text`, or `[name/2] text` in a pool with a name.
  case prefixed
  /// Nowhere. The end of standard error is still in the error of a task whose worker ended.
  case discarded
  /// To other files of the program, in whole lines. The pool keeps copies of its own.
  case descriptors(output: Int32, errors: Int32)
  /// To a function, which gets one line after the other, on a thread of its own.
  ///
  /// A call returns when the function has had what its tasks printed, or a fifth of a second later; a pool has ended when
  /// the function has had everything, unless it takes more than two seconds for a line. While 1 MiB of lines waits for the
  /// function, workers wait at what they print, and soon also those that print nothing. The function may call the pool; but
  /// one that holds the pool keeps it alive until it is shut down.
  case handler(@Sendable (WorkerLine) -> Void)
}

/// A line that a worker printed.
public struct WorkerLine: Sendable, Hashable {
  /// The two streams that a worker prints to.
  public enum Stream: Sendable, Hashable {
    /// Standard output.
    case output
    /// Standard error.
    case errors
  }

  /// What was printed, without the newline. A line of more than 16 MiB comes in pieces.
  public let bytes: [UInt8]
  /// Where it was printed to.
  public let stream: Stream
  /// The worker's place in its pool, from 0; on ranks other than 0, its place on the rank.
  public let worker: Int
  /// The worker's process identifier.
  public let process: Int32
  /// The call whose task the worker was at, as in events; nil: it was at none, but perhaps at a hook. Nil on ranks other
  /// than 0.
  public let call: UInt64?
  /// The task's place in its call's inputs.
  public let task: Int?

  /// What was printed, as text. What is not UTF-8 becomes U+FFFD.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension WorkerLine: CustomStringConvertible {
  /// For example `worker 0 process 4711 call 1 task 3 errors: text`.
  public var description: String {
    var words = "worker \(worker) process \(process)"
    if let call { words += " call \(call)" }
    if let task { words += " task \(task)" }
    return words + (stream == .errors ? " errors: " : ": ") + text
  }
}
