/// The transport for an operation that gets its message from a thread which has entered the gate already.
struct Inside: MessageSource {
  private let transport: LocalTransport
  init(_ transport: LocalTransport) { self.transport = transport }

  func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    try transport.takeInside(message, into: destination)
  }

  func drop(_ message: IncomingMessage) { transport.dropInside(message) }
}
