/// A container for one value, which is written in place of the value that asked for it.
struct SingleValueWriter: SingleValueEncodingContainer {
  let sink: EncoderSink
  let serial: Int
  let node: Int

  var codingPath: [any CodingKey] { sink.session.path(node) }

  func encodeNil() throws {
    try begin()
    sink.writeNil()
  }

  func encode<T: Encodable>(_ value: T) throws {
    try begin()
    let mark = sink.count
    do {
      try sink.encode(value, node: node, element: WirePath.none)
    } catch {
      sink.truncate(to: mark)
      sink.state.pointee.scope.kind = .none
      throw error
    }
  }

  @inline(__always)
  private func begin() throws {
    try sink.check(serial)
    guard sink.state.pointee.scope.kind == .none else {
      throw WireError(
        .misuse, type: Any.self, codingPath: codingPath,
        detail: "its encode(to:) wrote a second value into a single-value container")
    }
    sink.state.pointee.scope.kind = .single
  }

  func encode(_ value: Bool) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: String) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Double) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Float) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Int) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Int8) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Int16) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Int32) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Int64) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: Int128) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: UInt) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: UInt8) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: UInt16) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: UInt32) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: UInt64) throws {
    try begin()
    sink.write(value)
  }

  func encode(_ value: UInt128) throws {
    try begin()
    sink.write(value)
  }
}
