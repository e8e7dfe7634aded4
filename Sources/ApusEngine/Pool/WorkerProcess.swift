package import ApusSystem
package import ApusWire

/// The process that a worker is, as its engine deals with it: a child of ours, or something elsewhere.
package protocol WorkerProcess: AnyObject {
  var pid: Int32 { get }
  /// Where it runs, for messages; nil: here.
  var place: String? { get }
  /// The end of what it wrote to standard error.
  var standardError: String { get }
  /// A descriptor that is readable once there may be something to reap; nil if the engine is told in other ways.
  var deathNotice: Int32? { get }

  /// How it ended; nil while it lives.
  func reap() -> WorkerEnding?

  /// Ends it, and everything that it started; or has it begin nothing more, if it can't be ended.
  func kill()

  /// Whether `kill` ends it whatever it is at.
  var canBeKilled: Bool { get }

  /// The task in `Channel.cancelled` is to stop, which it may not see by itself.
  func noteCancellation()
}

extension WorkerProcess {
  package var canBeKilled: Bool { true }
}

/// How a worker ended.
package struct WorkerEnding: Sendable {
  package var status: ExitStatus
  /// Why it could not even begin, or what else the status does not say.
  package var problem: String?
  /// Whether its last task goes on all the same, in a process that nobody may end.
  package var goesOn = false
  /// The function that it was at.
  package var code = FunctionCode()

  package init(
    status: ExitStatus, problem: String? = nil, goesOn: Bool = false, code: FunctionCode = FunctionCode()
  ) {
    (self.status, self.problem, self.goesOn, self.code) = (status, problem, goesOn, code)
  }
}

/// Workers that are not children of this process: each has a channel here, whose other end is looked after by
/// whoever starts them. Everything is called under the engine's lock.
package protocol DistantWorkers: AnyObject, Sendable {
  /// How many places for workers there are.
  var count: Int { get }
  /// Readable when there is something for `deliver`.
  var notice: Int32 { get }
  /// What they are, for messages: "ranks".
  var name: String { get }
  /// What to do about a task that nobody can end, for the message about one.
  var adviceOnEndless: String { get }
  /// Why there can be no workers any more.
  var problem: (any Error)? { get }

  /// Starts a worker at a place.
  func start(_ place: Int) throws(ProcessError) -> (process: any WorkerProcess, channel: Channel)

  /// Moves what has arrived into the channels, and names the places of workers that have ended. True if there was
  /// anything.
  func deliver(ended: (Int) -> Void) -> Bool
}

/// A worker process elsewhere, from which tasks can't be taken back at once.
package protocol DistantProcess: WorkerProcess {
  /// Asks for the tasks before `next` that it has not begun. `Channel.revocation` tells the answer.
  func revoke(before next: UInt64)
}
