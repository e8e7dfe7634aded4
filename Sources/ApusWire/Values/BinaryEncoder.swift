/// Any `Encodable` value to a message of the binary coder; `WireTag.swift` has the format.
package enum BinaryEncoder {
  // An `encode(to:)` that itself encodes a message gets another session.
  private static let sessions = SessionPool()

  /// Appends `value` to `buffer`. Throws what `value` throws, `EncodingError`, or `WireError` (`tooDeep`,
  /// `misuse`); the buffer is then as it was before. O(size of the message).
  package static func encode<T: Encodable>(_ value: T, into buffer: ByteBuffer) throws {
    let session = take()
    let sink = session.root
    let start = buffer.count
    let own = buffer.exchange(sink.state.pointee.store)
    sink.state.pointee.store = own
    defer {
      sink.state.pointee.store = buffer.exchange(sink.state.pointee.store)
      session.reset()
      sessions.giveBack(session.state, .encoder)
    }
    do {
      try write(value, session, sink)
    } catch {
      sink.truncate(to: start)
      throw error
    }
  }

  /// Calls `body` with the message that `value` becomes. Throws as `encode`, and what `body` throws.
  package static func withEncoded<T: Encodable>(_ value: T, _ body: (UnsafeRawBufferPointer) throws -> Void)
    throws
  {
    let session = take()
    let sink = session.root
    defer {
      sink.state.pointee.store.reset(keeping: 1 << 16)
      session.reset()
      sessions.giveBack(session.state, .encoder)
    }
    try write(value, session, sink)
    try body(sink.state.pointee.store.bytes)
  }

  @inline(__always)
  private static func write<T: Encodable>(_ value: T, _ session: EncoderSession, _ sink: EncoderSink) throws {
    try sink.encode(value, node: 0, element: WirePath.none)
    let keys = session.state.pointee.keyTable.bytes
    guard let length = UInt32(exactly: keys.count) else {
      throw WireError(.misuse, type: T.self, detail: "more than 4 GiB of coding keys")
    }
    sink.state.pointee.store.append(contentsOf: keys)
    sink.state.pointee.store.append(length.littleEndian)
  }

  @inline(__always)
  private static func take() -> EncoderSession {
    sessions.take(.encoder).map {
      EncoderSession(state: $0.assumingMemoryBound(to: EncoderSession.State.self))
    }
      ?? makeSession()
  }

  /// A new session. Looks first whether containers can be lent.
  @inline(never)
  private static func makeSession() -> EncoderSession {
    let session = EncoderSession()
    let sink = session.root
    try? write(LayoutProbe.values, session, sink)
    let holds = sink.state.pointee.store.bytes.elementsEqual(LayoutProbe.message)
    SwiftLayout.require(holds ? nil : "containers")
    sink.state.pointee.store.reset(keeping: 1 << 16)
    session.reset()
    return session
  }
}

/// The encoder that a type's `encode(to:)` sees.
struct WireEncoder: Encoder {
  let sink: EncoderSink
  let serial: Int
  let node: Int

  init(sink: EncoderSink, serial: Int, node: Int) {
    (self.sink, self.serial, self.node) = (sink, serial, node)
  }

  /// For the scope that a sink has now.
  init(_ sink: EncoderSink) {
    self.init(sink: sink, serial: sink.state.pointee.scope.serial, node: sink.state.pointee.scope.node)
  }

  var codingPath: [any CodingKey] { sink.session.path(node) }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    let place = WireEncoder(sink: sink, serial: sink.open(.keyed, serial: serial), node: node)
    let slot = sink.session.state.pointee.containers.slot(for: type)
    if slot.pointee.key == ObjectIdentifier(type), isKnownUniquelyReferenced(&slot.pointee.container) {
      slot.pointee.place = place
      return encodingContainer(Unmanaged.passRetained(slot.pointee.container!).toOpaque(), type)
    }
    return make(place, type, slot)
  }

  @inline(never)
  private func make<Key: CodingKey>(
    _ place: WireEncoder, _ type: Key.Type, _ slot: UnsafeMutablePointer<LentContainers<WireEncoder>.Slot>
  ) -> KeyedEncodingContainer<Key> {
    guard slot.pointee.container == nil || isKnownUniquelyReferenced(&slot.pointee.container),
      MemoryLayout<KeyedEncodingContainer<Key>>.size == MemoryLayout<AnyObject>.size
    else { return KeyedEncodingContainer(KeyedWriter<Key>(place)) }
    slot.pointee.place = place
    let lent = UnsafeMutableRawPointer(slot.pointer(to: \.place)!).assumingMemoryBound(to: WireEncoder.self)
    let container = KeyedEncodingContainer(KeyedWriter<Key>(lent: lent))
    slot.pointee.container = unsafeBitCast(container, to: AnyObject.self)
    slot.pointee.key = ObjectIdentifier(type)
    return container
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    UnkeyedWriter(WireEncoder(sink: sink, serial: sink.open(.unkeyed, serial: serial), node: node))
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    SingleValueWriter(sink: sink, serial: serial, node: node)
  }
}

/// The container that is this one reference, which was retained for it. A bit cast would be the same, but
/// would ask the runtime for the container's type.
@_silgen_name("apus_encoding_container")
private func encodingContainer<Key: CodingKey>(
  _ reference: UnsafeMutableRawPointer, _ key: Key.Type
) -> KeyedEncodingContainer<Key>
