package import ApusSystem
package import ApusWire

/// What became of one or more consecutive tasks of a job.
package struct Delivery {
  package enum Content {
    /// Values of plain memory, already at their place in the job's destination.
    case placed
    /// A value's bytes, in the inbox's buffer.
    case value(Range<Int>)
    /// A value too large for the inbox's buffer.
    case large(LargeValue)
    /// A `FailureReport`'s bytes, in the inbox's buffer.
    case failure(Range<Int>)
    /// The worker died over the task, or had to be killed because of it.
    // Indirect, or each delivery would be as large as these.
    indirect case lost(WorkerLoss)
    /// Asked to stop, and stopped.
    case stopped(StopReason)
    /// No worker could be had for it.
    indirect case unserved(PoolProblem)
  }

  package let index: Int
  package var count: Int
  package let content: Content
}

/// A large value as it arrived.
package final class LargeValue: @unchecked Sendable {
  // Sound: filled under the engine's lock, then handed over and only read.
  package let bytes: ByteBuffer
  init(bytes: ByteBuffer) { self.bytes = bytes }
}

/// Why a task that was running was asked to stop.
package enum StopReason: Sendable, CustomStringConvertible {
  case cancelled
  case timeLimit
  case memoryLimit
  /// Of the whole call.
  case deadline

  package var description: String {
    switch self {
    case .cancelled: "it was cancelled"
    case .timeLimit: "its time limit was over"
    case .memoryLimit: "it exceeded the memory limit"
    case .deadline: "its call's deadline was over"
    }
  }
}

/// How a worker ended that had not been told to.
package struct WorkerLoss: Sendable {
  package var process: Int32
  package var status: ExitStatus
  /// The end of what it wrote to standard error.
  package var standardError: String
  /// Why it was killed, if we killed it.
  package var reason: StopReason?
  /// What it did that no sound process does, if it was killed for that.
  package var corruption: String?
  /// Where it ran, if not here.
  package var place: String?
  /// What to do about its task, if that goes on all the same.
  package var adviceOnEndless: String?
  /// The function that it was at.
  package var code = FunctionCode()
  /// Which part of its task it was at, if it had been given many values as one.
  package var part: UInt64 = 0
  /// The pool's name, and which of its workers it was.
  package var pool = "pool"
  package var worker = 0
  /// The hook that it was in: "start", "exit".
  package var hook: String?
  /// What its start hook said as it failed.
  package var hookFailure: String?
  /// What it held when it was killed for that, if that was seen, and what it may hold, in bytes.
  package var memory: (held: UInt64?, limit: UInt64)?
  /// The worker lives: what was killed is a process that its task had started.
  package var isOfChild = false

  /// Such amounts, behind "exceeded the memory limit".
  package static func describe(_ memory: (held: UInt64?, limit: UInt64)?) -> String {
    guard let (held, limit) = memory else { return "" }
    return " of \(limit >> 20) MiB" + (held.map { " with \($0 >> 20) MiB" } ?? "")
  }

  /// How it ended, in words.
  package var story: String {
    if let hookFailure { return hookFailure }
    let function = code.name.map { " in \($0)" } ?? ""
    if let corruption { return "it was killed, because it broke the protocol (\(corruption))" }
    return hook.map { "its \($0) hook ended it\(function): \(status)" } ?? "it died\(function): \(status)"
  }
}

/// Why a pool has no workers.
package enum PoolProblem: Error, Sendable {
  case closed
  /// Workers ended before they were ready, several in a row.
  case startUpFailed(attempts: Int, WorkerLoss)
  /// Could not be started at all.
  case spawnFailed(ProcessError)
  case restartsExhausted(Int, WorkerLoss)
  /// Those that were elsewhere can't be reached any more: what they were, and why.
  case lost(String, any Error)
  /// The pool is that of the process which this one is a fork of.
  case forked
  /// Another part of the program has closed the pool's descriptors.
  case descriptorsClosed
}
