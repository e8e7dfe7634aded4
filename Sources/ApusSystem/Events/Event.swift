import CApus
import Synchronization

/// Something that happened in a pool, a run or a communicator.
///
/// A plain record: which of the optional properties are set depends on the kind. Kinds are added over time, so
/// a `switch` over them has a `default`.
public struct Event: Sendable, Hashable {
  /// What happened.
  public let kind: Kind
  /// What reports it.
  public let source: Source
  /// Nanoseconds of the system's monotonic clock, which the processes of one machine share. For differences.
  public let time: UInt64
  /// The worker's place in its pool, the program's in its run, or the rank: from 0.
  public var worker: Int?
  /// The process identifier.
  public var process: Int32?
  /// How a process ended.
  public var status: ExitStatus?
  /// The call (`map`, `submit`…) to which this belongs; a number within its source.
  public var call: UInt64?
  /// A task's place in its call's inputs.
  public var task: Int?
  /// How many tasks or events this is about: tasks of a call that follow each other, and come the same way at nearly the
  /// same time, are one event.
  public var count: Int?
  /// A message for people: the reason of a failure, lines of output.
  public var text: String?

  /// Creates an event that happens now.
  public init(
    _ kind: Kind, from source: Source, worker: Int? = nil, process: Int32? = nil, status: ExitStatus? = nil,
    call: UInt64? = nil, task: Int? = nil, count: Int? = nil, text: String? = nil
  ) {
    self.kind = kind
    self.source = source
    self.time = apus_now()
    self.worker = worker
    self.process = process
    self.status = status
    self.call = call
    self.task = task
    self.count = count
    self.text = text
  }
}

extension Event {
  /// What reports events: a pool, a run, a communicator.
  public struct Source: Sendable, Hashable, CustomStringConvertible {
    /// What it is called in displays.
    public let name: String
    /// Unlike that of any other source in this process.
    public let id: UInt64

    private static let last = Atomic<UInt64>(0)

    /// Creates a source with an identifier of its own.
    public init(_ name: String) {
      self.name = name
      id = Self.last.add(1, ordering: .relaxed).newValue
    }

    /// The name and the identifier, as in `pool#1`.
    public var description: String { "\(name)#\(id)" }
  }
}

extension Event: CustomStringConvertible {
  /// For example `pool#1 workerExited worker 0 process 4711: signal 11 (SIGSEGV: segmentation fault)`.
  public var description: String {
    var words = "\(source) \(kind)"
    if let worker { words += " worker \(worker)" }
    if let process { words += " process \(process)" }
    if let call { words += " call \(call)" }
    if let task { words += " task \(task)" }
    if let count { words += " count \(count)" }
    if let status { words += ": \(status)" }
    if let text { words += ": \(text)" }
    return words
  }
}
