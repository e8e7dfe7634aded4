import ApusSystem
import CApus
import Glibc
import Synchronization

/// This process as one of the ranks that a supervisor has started.
///
/// When the supervisor is gone, however that came, this process ends.
package final class JoinedRank: Sendable {
  /// This process's number, in `0..<size`.
  package let rank: Int
  /// How many ranks there are.
  package let size: Int
  /// The memory that all ranks share: sealed against shrinking, otherwise unchecked.
  package let memory: OwnedDescriptor

  private let connection: RankConnection
  private let process = getpid()
  /// False in a process that was forked from the rank.
  var isThisProcess: Bool { getpid() == process }
  private let hasFinalized = Atomic(false)

  private init(rank: Int, size: Int, memory: OwnedDescriptor, connection: RankConnection) {
    (self.rank, self.size, self.memory, self.connection) = (rank, size, memory, connection)
  }

  /// Joins the ranks that this process was started among; `nil` if it was started alone.
  ///
  /// The first call takes the credential out of the environment, so that what this process starts is no rank; later ones
  /// give the same answer. What was forked from a rank is no rank.
  package static func join() throws(LaunchError) -> JoinedRank? {
    try shared.withLock { (shared) throws(LaunchError) in
      if let (process, result) = shared, process == getpid() { return try result.get() }
      let result = Result { () throws(LaunchError) in try joinNow() }
      shared = (getpid(), result)
      return try result.get()
    }
  }

  /// Says that this rank ends regularly. Without it the supervisor takes the end of this process, even one with
  /// the status 0, for a failure that its peers must hear of.
  package func finalized() {
    // A fork has the connection too, and has nothing to say on it.
    guard isThisProcess, !hasFinalized.exchange(true, ordering: .relaxed) else { return }
    try? connection.send(.finalized)
  }

  /// Hands over what the body of this rank came to.
  func give(_ kind: RankParcel.Kind, _ bytes: UnsafeRawBufferPointer) throws(ProcessError) {
    try connection.send(.result, with: RankParcel.make(kind, bytes))
  }

  /// Says that the whole job is to end, whatever else is done about a failure.
  func abort() { try? connection.send(.abort) }

  private static let shared = Locked<(process: Int32, result: Result<JoinedRank?, LaunchError>)?>(nil)

  private static func joinNow() throws(LaunchError) -> JoinedRank? {
    guard let entry = getenv(RankCredential.variable) else { return nil }
    let text = String(cString: entry)
    unsetenv(RankCredential.variable)
    let credential = try RankCredential(parsing: text)
    do {
      return try join(with: credential)
    } catch let error as ProcessError {
      throw LaunchError(error)
    } catch let error as LaunchError {
      throw error
    } catch {
      throw LaunchError(.brokenProtocol, "\(error)")
    }
  }

  private static func join(with credential: RankCredential) throws -> JoinedRank {
    let number = apus_socket_connect(credential.bootstrap)
    guard number >= 0 else {
      throw LaunchError(
        .noLauncher,
        "the `apus launch` that started this program as rank \(credential.rank) can't be reached: "
          + String(cString: strerror(-number))
          + ". It has ended, or this program was put into a network namespace of its own.")
    }
    let connection = RankConnection(number)
    // Once the supervisor is gone, anybody who knows the name could listen there.
    guard try connection.peer().user == geteuid() else {
      throw LaunchError(
        .refused, "another user listens where the launcher of this rank did: it is not trusted")
    }
    // Not an error here: a supervisor that has hung up says why in what it sent.
    try? connection.send(
      .join(rank: credential.rank, size: credential.size, token: credential.token, process: getpid()))
    switch connection.receive() {
    case .message(.welcome(credential.rank, credential.size, let group), let memory?)
    where apus_memory_is_sealed(memory.number, 1):
      try Lifeline.watch(socket: connection.descriptor.number, group: group) { _ in }
      // Into a pipe libc writes large pieces: lines would come late, and be lost in a crash.
      apus_stdout_line_buffered()
      return JoinedRank(rank: credential.rank, size: credential.size, memory: memory, connection: connection)
    case .message(.taken(let text), _): throw LaunchError(.taken, text)
    case .message(.refused(let text), _): throw LaunchError(.refused, text)
    case .end:
      throw LaunchError(
        .noLauncher, "the `apus launch` that started this program as rank \(credential.rank) has ended")
    default:
      throw LaunchError(
        .brokenProtocol,
        "what answers rank \(credential.rank) is no `apus launch` of this version: use the command that was built "
          + "with this program")
    }
  }
}
