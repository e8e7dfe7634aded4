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
    /// Another is started in its place: `worker`, and the `process` that has ended.
    public static let workerReplaced = Kind(rawValue: "workerReplaced")

    /// Tasks wait for a worker: `call`, the first `task`, `count`.
    public static let taskQueued = Kind(rawValue: "taskQueued")
    /// Tasks were handed to a worker, which does them one after the other: `call`, the first `task`, `count`, `worker`,
    /// `process`. Those that it has not begun may come back to the queue, and are handed out again.
    public static let taskStarted = Kind(rawValue: "taskStarted")
    /// Tasks have their values: `call`, the first `task`, `count`, `worker`, `process`.
    public static let taskFinished = Kind(rawValue: "taskFinished")
    /// A task failed: `call`, `task`, `worker`, `process`; `status` if its worker ended; `text`: what it threw, or the limit
    /// that it went past.
    public static let taskFailed = Kind(rawValue: "taskFailed")
    /// Tasks were cancelled: `call`, the first `task`, `count`.
    public static let taskCancelled = Kind(rawValue: "taskCancelled")
    /// A task is tried again after its worker ended: `call`, `task`, `worker`, `process`.
    public static let taskRetried = Kind(rawValue: "taskRetried")

    /// The end of what a task printed that is about to be told to have failed: `task`, `worker`, `text`.
    public static let taskOutput = Kind(rawValue: "taskOutput")

    /// Something that a person should know: `text`.
    public static let warning = Kind(rawValue: "warning")
    /// A slow reader of `EventStream.events(buffering:)` missed `count` events here.
    public static let eventsDropped = Kind(rawValue: "eventsDropped")
  }
}
