import Synchronization

/// Any `Encodable` value to a message of the binary coder; `WireTag.swift` has the format.
package enum BinaryEncoder {
  // One sink, with its session and tables, is kept for the next message. Whoever finds none makes one, so an
  // `encode(to:)` that itself encodes a message is no problem.
  private static let spare = Atomic<UInt>(0)

  /// Appends `value` to `buffer`. Throws what `value` throws, `EncodingError`, or `WireError` (`tooDeep`,
  /// `misuse`); the buffer is then as it was before. O(size of the message).
  package static func encode<T: Encodable>(_ value: T, into buffer: ByteBuffer) throws {
    let sink = take(for: buffer)
    let start = buffer.count
    do {
      try sink.encode(value, node: 0, element: WirePath.none)
      try writeKeys(of: sink, type: T.self)
    } catch {
      buffer.truncate(to: start)
      // Not kept for the next message, whatever state it is in; but a session must let go of its sinks.
      sink.session.reset()
      throw error
    }
    sink.session.reset()
    sink.buffer = nothing
    giveBack(sink)
  }

  // Sound: never written to; a sink without a message needs some buffer to point to.
  private static let nothing = ByteBuffer()

  private static func writeKeys(of sink: EncoderSink, type: Any.Type) throws {
    let buffer = sink.buffer
    let start = buffer.count
    for key in sink.session.keyTable.keys {
      buffer.append(varint: key.utf8.count)
      buffer.append(utf8: key)
    }
    guard let length = UInt32(exactly: buffer.count - start) else {
      throw WireError(.misuse, type: type, detail: "more than 4 GiB of coding keys")
    }
    buffer.append(length.littleEndian)
  }

  private static func take(for buffer: ByteBuffer) -> EncoderSink {
    // Acquiring and releasing: the one who finds a sink sees what the one who left it has done to it.
    let bits = spare.exchange(0, ordering: .acquiring)
    guard let pointer = UnsafeRawPointer(bitPattern: bits) else {
      return EncoderSink(session: EncoderSession(), buffer: buffer)
    }
    let sink = Unmanaged<EncoderSink>.fromOpaque(pointer).takeRetainedValue()
    sink.buffer = buffer
    return sink
  }

  private static func giveBack(_ sink: EncoderSink) {
    let bits = UInt(bitPattern: Unmanaged.passRetained(sink).toOpaque())
    let replaced = spare.exchange(bits, ordering: .acquiringAndReleasing)
    if let pointer = UnsafeRawPointer(bitPattern: replaced) {
      Unmanaged<EncoderSink>.fromOpaque(pointer).release()
    }
  }
}

/// The encoder that a type's `encode(to:)` sees.
struct WireEncoder: Encoder {
  let sink: EncoderSink
  let serial: Int
  let node: Int

  var codingPath: [any CodingKey] { sink.session.path(node) }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(KeyedWriter(sink: sink, serial: sink.open(.keyed, serial: serial), node: node))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    UnkeyedWriter(sink: sink, serial: sink.open(.unkeyed, serial: serial), node: node)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    SingleValueWriter(sink: sink, serial: serial, node: node)
  }
}
