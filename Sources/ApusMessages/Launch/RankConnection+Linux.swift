import ApusSystem
import CApus
import Glibc

/// A connection between a rank and its supervisor, in messages.
final class RankConnection: Sendable {
  enum Received {
    case message(RankMessage, OwnedDescriptor?)
    /// Nothing for now.
    case nothing
    /// Something that is no message of ours.
    case nonsense
    case end
  }

  let descriptor: OwnedDescriptor

  init(_ number: Int32) { descriptor = OwnedDescriptor(number) }

  /// Sends a message, with a descriptor to hand over.
  func send(_ message: RankMessage, with handed: OwnedDescriptor? = nil) throws(ProcessError) {
    let bytes = message.bytes
    let error = withExtendedLifetime(handed) {
      apus_socket_send(descriptor.number, bytes, bytes.count, handed?.number ?? -1)
    }
    if error != 0 { throw ProcessError(errno: error, doing: "sending a rank's message") }
  }

  func receive() -> Received {
    withUnsafeTemporaryAllocation(byteCount: RankMessage.longest, alignment: 1) { buffer in
      var handed: Int32 = -1
      let length = apus_socket_receive(descriptor.number, buffer.baseAddress!, buffer.count, &handed)
      let owned = handed >= 0 ? OwnedDescriptor(handed) : nil
      if length == -Int(EAGAIN) { return .nothing }
      if length == -Int(EMSGSIZE) { return .nonsense }
      if length <= 0 { return .end }
      guard let message = RankMessage(buffer[..<length]) else { return .nonsense }
      return .message(message, owned)
    }
  }

  /// The process at the other end, and its user.
  func peer() throws(ProcessError) -> (process: Int32, user: UInt32) {
    var process: pid_t = 0
    var user: uid_t = 0
    let error = apus_socket_peer(descriptor.number, &process, &user)
    if error != 0 { throw ProcessError(errno: error, doing: "asking who is at the other end of a socket") }
    return (process, user)
  }
}
