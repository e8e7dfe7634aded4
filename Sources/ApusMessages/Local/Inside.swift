/// The transport as an operation sees it that is given its message by a thread which is inside already.
struct Inside: MessageSource {
  private let transport: LocalTransport
  init(_ transport: LocalTransport) { self.transport = transport }

  func take(_ message: IncomingMessage, into destination: UnsafeMutableRawPointer) throws {
    try transport.takeInside(message, into: destination)
  }

  func drop(_ message: IncomingMessage) { transport.dropInside(message) }
}
