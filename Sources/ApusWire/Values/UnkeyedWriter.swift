/// An unkeyed container being written: one value after another.
struct UnkeyedWriter: UnkeyedEncodingContainer {
  let sink: EncoderSink
  let serial: Int
  let node: Int

  init(_ place: WireEncoder) { (sink, serial, node) = (place.sink, place.serial, place.node) }

  var codingPath: [any CodingKey] { sink.session.path(node) }
  var count: Int { sink.state.pointee.scope.serial == serial ? sink.state.pointee.scope.count : 0 }

  func encodeNil() throws {
    try next()
    sink.writeNil()
  }

  func encode<T: Encodable>(_ value: T) throws {
    try sink.check(serial)
    let mark = sink.count
    do {
      try sink.encode(value, node: node, element: WirePath.index(sink.state.pointee.scope.count))
    } catch {
      // A type may catch this and go on: leave no half of a value.
      sink.truncate(to: mark)
      throw error
    }
    sink.state.pointee.scope.count += 1
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type
  ) -> KeyedEncodingContainer<NestedKey> {
    KeyedEncodingContainer(KeyedWriter<NestedKey>(nested(.keyed)))
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { UnkeyedWriter(nested(.unkeyed)) }

  func superEncoder() -> any Encoder { nested(.none) }

  private func nested(_ kind: EncoderSink.Kind) -> WireEncoder {
    do {
      try next()
      return WireEncoder(
        sink.nested(kind, node: node, element: WirePath.index(sink.state.pointee.scope.count - 1)))
    } catch {
      return WireEncoder(sink.detached(kind, error))
    }
  }

  @inline(__always)
  private func next() throws {
    try sink.check(serial)
    sink.state.pointee.scope.count += 1
  }

  func encode(_ value: Bool) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: String) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Double) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Float) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Int) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Int8) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Int16) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Int32) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Int64) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: Int128) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: UInt) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: UInt8) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: UInt16) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: UInt32) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: UInt64) throws {
    try next()
    sink.write(value)
  }

  func encode(_ value: UInt128) throws {
    try next()
    sink.write(value)
  }
}
