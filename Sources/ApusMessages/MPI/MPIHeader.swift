/// What stands in front of a message, so that its bytes are all that is asked of the library.
struct MPIHeader: BitwiseCopyable {
  var type: UInt64
  /// The bytes of the message.
  var count: UInt64
  var context: UInt32
  var tag: Int32
  var source: Int32
  /// The tag of the bytes of a long message; -1: they follow right here.
  var payloadTag: Int32

  static let size = MemoryLayout<MPIHeader>.size

  @inline(__always)
  init(_ envelope: Envelope, payloadTag: Int32) {
    (type, count, context) = (envelope.type, UInt64(envelope.count), envelope.context)
    (tag, source, self.payloadTag) = (envelope.tag, envelope.source, payloadTag)
  }

  /// Whether such a header can have been sent by a rank that has not run wild.
  @inline(__always)
  func canBe(among ranks: Int, mostBytes: Int) -> Bool {
    // What a short one says is held against its limit; the memory for a long one is allocated.
    source >= 0 && source < ranks && count <= UInt64(mostBytes)
      && (payloadTag < 0) == (count <= UInt64(MPITransport.shortLimit))
  }

  @inline(__always)
  var envelope: Envelope {
    Envelope(context: context, source: source, tag: tag, type: type, count: Int(truncatingIfNeeded: count))
  }
}
