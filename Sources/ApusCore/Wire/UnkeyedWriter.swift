/// An unkeyed container being written: one value after another.
struct UnkeyedWriter: UnkeyedEncodingContainer {
  let sink: EncoderSink
  let serial: Int
  let node: Int

  var codingPath: [any CodingKey] { sink.session.path(node) }
  var count: Int { sink.scope.serial == serial ? sink.scope.count : 0 }

  func encodeNil() throws {
    try next()
    sink.writeNil()
  }

  func encode<T: Encodable>(_ value: T) throws {
    try sink.check(serial)
    let mark = sink.buffer.count
    do {
      try sink.encode(value, node: node, element: WirePath.index(sink.scope.count))
    } catch {
      // A type may catch this and go on: leave no half of a value.
      sink.buffer.truncate(to: mark)
      throw error
    }
    sink.scope.count += 1
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type
  ) -> KeyedEncodingContainer<NestedKey> {
    let nested = nested(.keyed)
    return KeyedEncodingContainer(
      KeyedWriter<NestedKey>(sink: nested, serial: nested.scope.serial, node: nested.scope.node))
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    let nested = nested(.unkeyed)
    return UnkeyedWriter(sink: nested, serial: nested.scope.serial, node: nested.scope.node)
  }

  func superEncoder() -> any Encoder {
    let nested = nested(.none)
    return WireEncoder(sink: nested, serial: nested.scope.serial, node: nested.scope.node)
  }

  private func nested(_ kind: EncoderSink.Kind) -> EncoderSink {
    do {
      try next()
      return sink.nested(kind, node: node, element: WirePath.index(sink.scope.count - 1))
    } catch {
      return sink.detached(kind, error)
    }
  }

  @inline(__always)
  private func next() throws {
    try sink.check(serial)
    sink.scope.count += 1
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
