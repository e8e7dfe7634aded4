import ApusWire

/// Messages of bytes between the ranks of one communicator: all that the collective algorithms are made of, so that
/// they are the same on every transport.
///
/// Messages from one rank to another under one tag arrive in the order in which they were sent. A send may wait
/// until its message is received.
package protocol PointToPoint: AnyObject {
  /// This process's number, in `0..<size`.
  var rank: Int { get }
  /// How many ranks there are.
  var size: Int { get }

  func send(_ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32) throws

  /// Fills `buffer`; an error if the message has another length.
  func receive(into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32) throws

  /// Whether a message has come, as far as that can be seen at once.
  func isThere(from source: Int, tag: Int32) -> Bool

  /// Appends a message of whatever length.
  func receive(appendingTo buffer: ByteBuffer, from source: Int, tag: Int32) throws

  /// Sends and receives at the same time: ranks that exchange don't wait for each other.
  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, into buffer: UnsafeMutableRawBufferPointer,
    from source: Int, tag: Int32) throws

  /// The same with a message of whatever length to receive.
  func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, appendingTo buffer: ByteBuffer, from source: Int,
    tag: Int32) throws

  /// Sends every other rank what `outgoing` has for it, and receives meanwhile: all is on its way before the first
  /// wait, so where ranks share a processor each needs it once, and not once a round.
  ///
  /// - Parameter receive: Receives what the others send so. What is sent stays as it is until the end.
  func whileSendingToAll(
    _ outgoing: (_ destination: Int) -> UnsafeRawBufferPointer, tag: Int32, receive: () throws -> Void) throws
}

extension PointToPoint {
  package func isThere(from source: Int, tag: Int32) -> Bool { false }
}
