import ApusWire

/// A send or a receive of bytes that goes on while its rank does something else; see `Communicator+Bytes.swift`.
package final class BytesRequest: @unchecked Sendable {
  // Sound: `status` and `bytes` are written by the thread that drives the transport, before the operation is done, and
  // read by the owner after that.
  private let communicator: Communicator
  private let operation: Operation
  private let result: Result

  private final class Result {
    var status: BytesStatus?
    var bytes: ByteBuffer?
  }

  private init(_ communicator: Communicator, _ operation: Operation, _ result: Result) throws {
    (self.communicator, self.operation, self.result) = (communicator, operation, result)
    try communicator.transport.start(operation)
  }

  /// Starts to send bytes, which stay as they are until the request is done.
  package convenience init(
    _ communicator: Communicator, sending bytes: UnsafeRawBufferPointer, kind: UInt64, to destination: Int,
    tag: Int
  ) throws {
    let world = try communicator.destination(destination, tag)
    let envelope = communicator.envelope(kind, tag, bytes.count)
    try self.init(
      communicator, Operation(.send(bytes: bytes, envelope: envelope, destination: world)), Result())
  }

  /// Starts to receive a message of bytes.
  ///
  /// - Parameters:
  ///   - room: Where the bytes go, which stays as it is until then; nil: into memory of the request's own.
  ///   - accepts: With `room`: whether a message of that kind and length may go there. Else it is dropped.
  package convenience init(
    _ communicator: Communicator, receivingFrom source: Int, tag: Int,
    into room: UnsafeMutableRawBufferPointer?,
    accepts: @escaping (BytesStatus) -> Bool
  ) throws {
    let result = Result()
    let operation = Operation(.receive(try communicator.selector(source, tag))) { message, source in
      let status = communicator.bytesStatus(message.envelope)
      result.status = status
      guard let room else {
        let bytes = ByteBuffer(capacity: status.count)
        try source.take(message, into: bytes.uninitialized(count: status.count))
        result.bytes = bytes
        return
      }
      if accepts(status), status.count > 0 {
        try source.take(message, into: room.baseAddress!)
      } else {
        source.drop(message)
      }
    }
    try self.init(communicator, operation, result)
  }

  /// Whether it is over. Moves on what goes on, and waits for nothing. Throws what it ended with.
  package func test() throws -> Bool {
    if !operation.isDone { try communicator.transport.progress() }
    if operation.isDone, let error = operation.error { throw error }
    return operation.isDone
  }

  /// Waits until it is over. Throws what it ended with.
  package func wait() throws { try communicator.transport.wait(for: operation) }

  /// Gives a receive up. False if its message has come.
  package func cancel() -> Bool { communicator.transport.cancel(operation) }

  package var isDone: Bool { operation.isDone }

  /// Of a receive that is done.
  package var status: BytesStatus? { operation.isDone ? result.status : nil }

  /// What came, unless it went elsewhere.
  package var bytes: UnsafeRawBufferPointer? { operation.isDone ? result.bytes?.bytes : nil }
}
