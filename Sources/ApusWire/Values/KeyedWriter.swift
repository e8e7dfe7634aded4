/// A keyed container being written: entries of a key's number and a value.
///
/// No reference is counted in it: the library copies its containers for calls.
struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  /// Where the container writes if it is lent again and again: in the session.
  private let lent: UnsafePointer<WireEncoder>?
  private let own: WireEncoder

  init(_ own: WireEncoder) { (lent, self.own) = (nil, own) }

  init(lent: UnsafeMutablePointer<WireEncoder>) { (self.lent, own) = (UnsafePointer(lent), lent.pointee) }

  @inline(__always)
  private var place: WireEncoder { lent?.pointee ?? own }

  var codingPath: [any CodingKey] { place.codingPath }

  /// The sink, in which the key stands now.
  @inline(__always)
  private func sink(for key: Key) throws -> EncoderSink {
    let place = place
    _ = try place.sink.write(key: key.stringValue, serial: place.serial)
    return place.sink
  }

  func encodeNil(forKey key: Key) throws { try sink(for: key).writeNil() }

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    let place = place
    let mark = place.sink.count
    let number = try place.sink.write(key: key.stringValue, serial: place.serial)
    do {
      try place.sink.encode(value, node: place.node, element: number)
    } catch {
      // A type may catch this and go on: leave no half of an entry.
      place.sink.truncate(to: mark)
      throw error
    }
  }

  /// Called for a property of type `T?`. If `T` is an optional too, all of it is written, so that
  /// `.some(nil)` does not look like nil.
  func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
    guard let present = value else { return }
    if TypeFacts.of(T.self).pointee.kind == .optional {
      try encode(value, forKey: key)
    } else {
      try encode(present, forKey: key)
    }
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type, forKey key: Key
  ) -> KeyedEncodingContainer<NestedKey> {
    KeyedEncodingContainer(KeyedWriter<NestedKey>(nested(.keyed, key.stringValue)))
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    UnkeyedWriter(nested(.unkeyed, key.stringValue))
  }

  func superEncoder() -> any Encoder { nested(.none, WireKey.super.stringValue) }

  func superEncoder(forKey key: Key) -> any Encoder { nested(.none, key.stringValue) }

  private func nested(_ kind: EncoderSink.Kind, _ key: String) -> WireEncoder {
    let place = place
    do {
      let mark = place.sink.count
      let number = try place.sink.write(key: key, serial: place.serial)
      if let before = place.sink.nestedBefore(kind, key: number) {
        place.sink.truncate(to: mark)
        return WireEncoder(before)
      }
      return WireEncoder(place.sink.nested(kind, node: place.node, element: number))
    } catch {
      return WireEncoder(place.sink.detached(kind, error))
    }
  }

  func encode(_ value: Bool, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: String, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Double, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Float, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Int, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Int8, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Int16, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Int32, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Int64, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: Int128, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: UInt, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: UInt8, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: UInt16, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: UInt32, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: UInt64, forKey key: Key) throws {
    try sink(for: key).write(value)
  }

  func encode(_ value: UInt128, forKey key: Key) throws {
    try sink(for: key).write(value)
  }
}
