package import ApusEngine
import ApusSystem
import ApusWire

/// What went wrong with a task of a pool, or with the pool.
public struct TaskError: Error, Sendable {
  /// What kind of thing went wrong. More may be added.
  public struct Code: Sendable, Hashable, Codable, CustomStringConvertible {
    private enum Value: String, Sendable, Codable {
      case thrown, argumentNotEncodable, argumentNotDecodable, resultNotEncodable, resultNotDecodable
      case workerDied, timeLimitExceeded, cancelled, functionNotNameable
      case poolClosed, startUpFailed, restartsExhausted, noResources, invalidArgument
      case deadlineExceeded, queueFull, waitTimedOut, memoryLimitExceeded
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }

    /// The code's name.
    public var description: String { value.rawValue }

    /// The body threw an error: `underlyingError`, if it is `Codable`, and else its text.
    public static let thrown = Code(.thrown)
    /// The argument's `encode(to:)` threw, in this process.
    public static let argumentNotEncodable = Code(.argumentNotEncodable)
    /// The argument's `init(from:)` threw, in the worker.
    public static let argumentNotDecodable = Code(.argumentNotDecodable)
    /// The result's `encode(to:)` threw, in the worker.
    public static let resultNotEncodable = Code(.resultNotEncodable)
    /// The result's `init(from:)` threw, in this process.
    public static let resultNotDecodable = Code(.resultNotDecodable)
    /// The worker process ended while it was at the task: `status` says how.
    public static let workerDied = Code(.workerDied)
    /// The task took longer than it was allowed to.
    public static let timeLimitExceeded = Code(.timeLimitExceeded)
    /// The task took more memory than its worker may have.
    public static let memoryLimitExceeded = Code(.memoryLimitExceeded)
    /// The task was cancelled.
    public static let cancelled = Code(.cancelled)
    /// Another process can't be told which function is meant.
    public static let functionNotNameable = Code(.functionNotNameable)
    /// The pool was shut down.
    public static let poolClosed = Code(.poolClosed)
    /// Worker processes ended before they were ready for a task, or could not be made from this program.
    public static let startUpFailed = Code(.startUpFailed)
    /// As many workers were replaced as the pool's configuration allows.
    public static let restartsExhausted = Code(.restartsExhausted)
    /// The system refused a process, a descriptor or memory.
    public static let noResources = Code(.noResources)
    /// The call's deadline has passed before the task was done.
    public static let deadlineExceeded = Code(.deadlineExceeded)
    /// As many tasks wait as may, and the pool was not to wait.
    public static let queueFull = Code(.queueFull)
    /// The task is not done after the time that its caller wanted to wait; it goes on.
    public static let waitTimedOut = Code(.waitTimedOut)
    /// An argument of the call itself is out of range.
    public static let invalidArgument = Code(.invalidArgument)
  }

  /// What kind of thing went wrong.
  public let code: Code
  /// What happened and what to do about it, in words.
  public let message: String
  /// The index of the task in its call; nil where no single task is meant.
  public internal(set) var task: Int?
  /// The process that ended.
  public internal(set) var process: Int32?
  /// How it ended.
  public internal(set) var status: ExitStatus?
  /// The end of what the worker wrote to standard error: Swift's message and backtrace after a trap.
  public internal(set) var standardError: String = ""
  /// The error behind this one: what a body threw, if that is `Codable`, or what a coder threw. A body's error whose type
  /// is private and generic, or a private class, arrives as text alone.
  public internal(set) var underlyingError: (any Error)?

  package init(_ code: Code, _ message: String, task: Int? = nil, underlying: (any Error)? = nil) {
    (self.code, self.message, self.task, underlyingError) = (code, message, task, underlying)
  }
}

extension TaskError: CustomStringConvertible {
  /// What happened to which task, in words, and the end of the worker's standard error.
  public var description: String {
    (task.map { "task \($0): \(message)" } ?? message) + quotedStandardError(standardError)
  }
}

/// An error that a task throws, of a pool of its own, comes back as itself, but for the error behind it.
extension TaskError: Codable {
  private enum CodingKeys: String, CodingKey { case code, message, task, process, status, standardError }
}

extension TaskError {
  /// A worker's report of a failure that it survived.
  init(_ report: FailureReport, task: Int) {
    switch report.phase {
    case .call:
      self.init(
        .thrown, "the body threw \(report.typeName): \(report.text)", task: task, underlying: report.error)
    case .function:
      self.init(.functionNotNameable, "the worker could not find the function: \(report.text)", task: task)
    case .decodeContext:
      self.init(
        .argumentNotDecodable, "the worker could not decode the context value: \(report.text)", task: task,
        underlying: report.error)
    case .decodeArgument:
      self.init(
        .argumentNotDecodable, "the worker could not decode the argument: \(report.text)", task: task,
        underlying: report.error)
    case .encodeResult:
      self.init(
        .resultNotEncodable, "the worker could not encode the result: \(report.text)", task: task,
        underlying: report.error)
    }
  }

  /// The death of the worker that was at a task.
  init(_ loss: WorkerLoss, task: Int?, limit: Duration?) {
    let place = loss.place.map { " of \($0)" } ?? ""
    let note =
      loss.adviceOnEndless.map { ", and goes on in the process\(place), which can't be killed for it: \($0)" }
      ?? (loss.isOfChild ? ", and a process that it had started was killed" : ", and its worker was killed")
    switch loss.reason {
    case .timeLimit:
      let function = loss.code.name.map { " in \($0)" } ?? ""
      self.init(.stopped(.timeLimit, limit: limit), task: task, note: function + note)
    case .cancelled: self.init(.stopped(.cancelled, limit: limit), task: task, note: note)
    case .deadline: self.init(.stopped(.deadline, limit: limit), task: task, note: note)
    case .memoryLimit:
      let function = loss.code.name.map { " in \($0)" } ?? ""
      let amount = WorkerLoss.describe(loss.memory)
      self.init(
        .memoryLimitExceeded,
        "the task exceeded its worker's memory limit\(amount)\(function)\(note): raise `memoryLimit`, or set `retriesAlone`",
        task: task)
    case nil:
      let function = loss.code.name.map { " in \($0)" } ?? ""
      let why =
        loss.corruption.map { "was killed, because it broke the protocol (\($0))" }
        ?? "died\(function): \(loss.status)"
      let name = loss.pool == "pool" ? "" : "\(loss.pool)/\(loss.worker), "
      self.init(.workerDied, "its worker, \(name)process \(loss.process)\(place), \(why)", task: task)
    }
    process = loss.process
    status = loss.status
    standardError = loss.standardError
  }

  enum Ending { case stopped(StopReason, limit: Duration?) }

  init(_ ending: Ending, task: Int?, note: String = "") {
    switch ending {
    case .stopped(.cancelled, _): self.init(.cancelled, "the task was cancelled\(note)", task: task)
    case .stopped(.memoryLimit, _):
      self.init(.memoryLimitExceeded, "the task exceeded its worker's memory limit\(note)", task: task)
    case .stopped(.deadline, _):
      self.init(.deadlineExceeded, "the task was not done by the call's deadline\(note)", task: task)
    case .stopped(.timeLimit, let limit):
      let length = limit.map { " of \($0)" } ?? ""
      self.init(.timeLimitExceeded, "the task exceeded its time limit\(length)\(note)", task: task)
    }
  }

  /// A call that could not begin.
  init(beginning error: any Error) {
    self = error as? TaskError ?? TaskError(.invalidArgument, "\(error)", underlying: error)
  }

  /// A result that does not decode here.
  init(decoding error: any Error, task: Int) {
    self.init(.resultNotDecodable, "the result could not be decoded: \(error)", task: task, underlying: error)
  }

  /// The sequence of inputs is at fault, not one of them.
  init(drawing error: any Error, task: Int) {
    self.init(.argumentNotEncodable, "drawing the next input failed: \(error)", task: task, underlying: error)
  }

  /// Why there was no worker for a task.
  package init(_ problem: PoolProblem, task: Int? = nil) {
    switch problem {
    case .closed: self.init(.poolClosed, "the pool is shut down: the task was not done", task: task)
    case .spawnFailed(let error):
      self.init(.noResources, "no worker could be started: \(error)", task: task, underlying: error)
    case .startUpFailed(let attempts, let loss):
      let why = loss.hookFailure ?? (loss.hook != nil ? loss.story : loss.corruption ?? "\(loss.status)")
      self.init(
        .startUpFailed,
        "workers ended before they were ready, \(attempts) times in a row; the last one: \(why)",
        task: task)
      (process, status, standardError) = (loss.process, loss.status, loss.standardError)
    case .restartsExhausted(let limit, let loss):
      self.init(
        .restartsExhausted,
        "the pool has replaced \(limit) workers, as many as it may; the last one ended with "
          + "\(loss.status)", task: task)
      (process, status, standardError) = (loss.process, loss.status, loss.standardError)
    case .forked:
      self.init(
        .poolClosed,
        "this process is a fork of the one whose pool this is, and has no part in it: make a pool of its own here",
        task: task)
    case .descriptorsClosed:
      self.init(
        .poolClosed,
        "another part of this program has closed the pool's descriptors (with `closefrom`, or in a loop?), so the "
          + "pool has ended: close none that are not your own, or before you make the pool", task: task)
    case .lost(let name, let error):
      self.init(
        .workerDied, "the \(name) of the pool are lost: \(error)", task: task, underlying: error)
    }
  }

  /// Starts a pool, and says what is wrong if that fails.
  package static func starting<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as ProcessError {
      throw TaskError(.noResources, "no worker could be started: \(error)", underlying: error)
    } catch let problem as ProgramCommand.Problem {
      throw TaskError(.startUpFailed, problem.description)
    }
  }
}
