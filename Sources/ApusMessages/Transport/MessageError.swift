import ApusSystem
import ApusWire

/// What went wrong with a message, or with the ranks of the job.
public struct MessageError: Error, Sendable {
  /// What kind of thing went wrong. More may be added.
  public struct Code: Sendable, Hashable, Codable, CustomStringConvertible {
    private enum Value: String, Sendable, Codable {
      case invalidArgument, typeMismatch, tooLong, notEncodable, notDecodable
      case rankFailed, rankEnded, collectiveFailed, deadlock, finalized, concurrentUse, transport
      case noResources, startUpFailed, thrown, functionNotNameable, timeLimitExceeded
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }

    /// The code's name.
    public var description: String { value.rawValue }

    /// A rank, root, tag or count that can't be.
    public static let invalidArgument = Code(.invalidArgument)
    /// The message holds another type than the receiver asked for. The message is gone.
    public static let typeMismatch = Code(.typeMismatch)
    /// The message is longer than the buffer it was to go to. The message is gone.
    public static let tooLong = Code(.tooLong)
    /// The value's `encode(to:)` threw; nothing was sent.
    public static let notEncodable = Code(.notEncodable)
    /// The value's `init(from:)` threw. The message is gone.
    public static let notDecodable = Code(.notDecodable)
    /// A rank of the job died: `rank`.
    public static let rankFailed = Code(.rankFailed)
    /// The rank that was waited for has ended in good order, and sent nothing more.
    public static let rankEnded = Code(.rankEnded)
    /// Another rank, `rank`, could not go on with a collective operation: the message says why. The communicator can be
    /// used on.
    public static let collectiveFailed = Code(.collectiveFailed)
    /// Every rank waits for another one, as the message tells. Of ranks on one machine, in calls without a time limit.
    ///
    /// Blocked threads are told after some tenths of a second. Where tasks await, a rank counts as waiting only if
    /// nothing else could have it go on: 30 seconds have passed in which it called nothing, it has no other threads
    /// than Dispatch's and those of Apus (none of a pool), and no `Task.sleep` and no descriptor is waited for. What is
    /// not seen is a timer of Dispatch's own clock (`asyncAfter`, `SuspendingClock`) that is due later than that, and an
    /// eventfd that the kernel (io_uring, AIO) or another process rings. An awaited probe looks by itself
    /// now and then, and is never told.
    ///
    /// A rank that is told while it sends gives up all long messages that it has under way, whoever is to receive them:
    /// sends that were only started fail too.
    public static let deadlock = Code(.deadlock)
    /// The communicator was used after the end of its job.
    public static let finalized = Code(.finalized)
    /// Two threads used the communicator at the same time, for which it was not made.
    public static let concurrentUse = Code(.concurrentUse)
    /// What came from another rank, or from the MPI library, was not as it should be.
    public static let transport = Code(.transport)
    /// The system refused memory or a descriptor.
    public static let noResources = Code(.noResources)
    /// The ranks did not find together.
    public static let startUpFailed = Code(.startUpFailed)
    /// The body of a rank of `withRanks` threw: `underlyingError`, if that is `Codable`, and else its text.
    public static let thrown = Code(.thrown)
    /// Another process can't be told which function is meant.
    public static let functionNotNameable = Code(.functionNotNameable)
    /// A rank of `withRanks` had not returned when the time limit was over, and was ended.
    public static let timeLimitExceeded = Code(.timeLimitExceeded)
  }

  /// What kind of thing went wrong.
  public let code: Code
  /// What happened and what to do about it, in words.
  public let message: String
  /// The rank that it is about, in the communicator that was called; nil if none.
  public internal(set) var rank: Int?
  /// The error behind this one: what a coder or an operator threw.
  public internal(set) var underlyingError: (any Error)?
  /// The process of the rank that it is about, where that is known.
  public internal(set) var process: Int32?
  /// How that process ended.
  public internal(set) var status: ExitStatus?
  /// The end of what that process wrote to standard error: Swift's message and backtrace after a trap.
  public internal(set) var standardError = ""

  package init(_ code: Code, _ message: String, rank: Int? = nil, underlying: (any Error)? = nil) {
    (self.code, self.message, self.rank, underlyingError) = (code, message, rank, underlying)
  }
}

extension MessageError: CustomStringConvertible {
  /// What happened and what to do about it, in words, and the end of the standard error of a rank that died.
  public var description: String { message + quotedStandardError(standardError) }
}

/// An error that a body throws on one rank comes back from there as itself, but for the error behind it.
extension MessageError: Codable {
  private enum CodingKeys: String, CodingKey { case code, message, rank, process, status, standardError }
}

extension MessageError {
  /// Whether every rank gets such an error, or none can hear of it.
  var concernsAll: Bool { [.rankFailed, .deadlock, .finalized, .concurrentUse].contains(code) }
}
