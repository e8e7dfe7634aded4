import ApusSystem
import CApus
import Glibc

/// The supervisor's side of the bootstrap: the socket where ranks show their credential and get the shared
/// memory.
final class RankBootstrap {
  let name = "apus-" + RankCredential.randomHex(digits: 32)
  let size: Int
  let listener: OwnedDescriptor
  private let memory: OwnedDescriptor
  private let tokens: [String]
  /// Which process has joined as which rank. Kept when the process has ended: a token is good once.
  private(set) var processes: [Int32?]

  enum Admission {
    case rank(Int, process: Int32)
    /// It has not said yet who it is.
    case notYet
    /// It was told why, and is to be let go.
    case refused
  }

  init(size: Int, memory: OwnedDescriptor) throws(ProcessError) {
    let number = apus_socket_listen(name)
    guard number >= 0 else { throw ProcessError(errno: -number, doing: "making the socket where ranks meet") }
    listener = OwnedDescriptor(number)
    (self.size, self.memory) = (size, memory)
    tokens = (0..<size).map { _ in RankCredential.randomHex(digits: 32) }
    processes = Array(repeating: nil, count: size)
  }

  /// The descriptor to poll for reading.
  var descriptor: Int32 { listener.number }

  func credential(for rank: Int) -> RankCredential {
    RankCredential(bootstrap: name, rank: rank, size: size, token: tokens[rank])
  }

  /// The next connection, if there is one. Other users are turned away.
  func accept() -> RankConnection? {
    while true {
      let number = apus_socket_accept(listener.number)
      guard number >= 0 else { return nil }
      let connection = RankConnection(number)
      if let peer = try? connection.peer(), peer.user == geteuid() { return connection }
    }
  }

  /// Lets in whoever shows a token that is still good.
  ///
  /// - Parameter groups: The process groups that were made for the ranks.
  func admit(_ connection: RankConnection, groups: [Int32]) -> Admission {
    switch connection.receive() {
    case .nothing: return .notYet
    case .message(.join(let rank, size, let token, let own), nil)
    where 0..<size ~= rank && tokens[rank] == token:
      guard let process = try? connection.peer().process else { return .refused }
      // Process numbers are told to peers, who reach into each other's memory by them.
      guard process == own else {
        try? connection.send(
          .refused(
            """
            rank \(rank) runs in another PID namespace than its launcher (a container of its own?): it is process \
            \(own) there, and \(process) here. Start the launcher in that container, or have the two share the \
            namespace (docker run --pid=host).
            """))
        return .refused
      }
      if let first = processes[rank] {
        try? connection.send(
          .taken(
            """
            process \(process) can't be rank \(rank) of \(size): process \(first) is, or was. What is started as \
            a rank can join once, so only one of the programs that it starts may.
            """))
        return .refused
      }
      let welcome = RankMessage.welcome(rank: rank, size: size, group: groups[rank])
      guard (try? connection.send(welcome, with: memory)) != nil else { return .refused }
      processes[rank] = process
      return .rank(rank, process: process)
    case .end: return .refused
    default:
      try? connection.send(.refused("this is no rank of the launcher that it came to"))
      return .refused
    }
  }
}
