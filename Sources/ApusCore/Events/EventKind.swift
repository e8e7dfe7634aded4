extension Event {
  /// What happened. A name rather than a case, so that kinds can be added, by other modules too.
  public struct Kind: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The name.
    public let rawValue: String
    /// Creates a kind; one made from the same name is equal to it.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// The name.
    public var description: String { rawValue }

    /// A process was started: `worker`, `process`.
    public static let workerStarted = Kind(rawValue: "workerStarted")
    /// It can take tasks: `worker`, `process`.
    public static let workerReady = Kind(rawValue: "workerReady")
    /// It has ended: `worker`, `process`, `status`; `text` if it was asked to.
    public static let workerExited = Kind(rawValue: "workerExited")
    /// Another took its place: `worker`, the new `process`.
    public static let workerReplaced = Kind(rawValue: "workerReplaced")

    /// A call began: `call`; `count`, the number of its tasks, if it is known.
    public static let callStarted = Kind(rawValue: "callStarted")
    /// A call ended: `call`; `count`, the number of tasks that it finished; `text` if it failed.
    public static let callFinished = Kind(rawValue: "callFinished")
    /// A worker began a task: `worker`, `call`, `task`. Only from sources whose tasks are big.
    public static let taskStarted = Kind(rawValue: "taskStarted")
    /// Tasks have succeeded since the last such event: `call`, `count`.
    public static let tasksFinished = Kind(rawValue: "tasksFinished")
    /// A task failed: `call`, `task`, `text`.
    public static let taskFailed = Kind(rawValue: "taskFailed")
    /// A task is tried again: `call`, `task`; `count`, the number of tries so far; `text`, the reason.
    public static let taskRetried = Kind(rawValue: "taskRetried")

    /// A child printed whole lines: `worker`, `process`, `text`.
    public static let output = Kind(rawValue: "output")
    /// Something that a person should know: `text`.
    public static let warning = Kind(rawValue: "warning")
    /// A slow reader of `EventStream.events(buffering:)` missed `count` events here.
    public static let eventsDropped = Kind(rawValue: "eventsDropped")
  }
}
