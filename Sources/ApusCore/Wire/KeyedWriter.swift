/// A keyed container being written: entries of a key's number and a value.
struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let sink: EncoderSink
  let serial: Int
  let node: Int

  var codingPath: [any CodingKey] { sink.session.path(node) }

  func encodeNil(forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.writeNil()
  }

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    let mark = sink.buffer.count
    let number = try sink.write(key: key.stringValue, serial: serial)
    do {
      try sink.encode(value, node: node, element: number)
    } catch {
      // A type may catch this and go on: leave no half of an entry.
      sink.buffer.truncate(to: mark)
      throw error
    }
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type, forKey key: Key
  ) -> KeyedEncodingContainer<NestedKey> {
    let nested = nested(.keyed, key.stringValue)
    return KeyedEncodingContainer(
      KeyedWriter<NestedKey>(sink: nested, serial: nested.scope.serial, node: nested.scope.node))
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    let nested = nested(.unkeyed, key.stringValue)
    return UnkeyedWriter(sink: nested, serial: nested.scope.serial, node: nested.scope.node)
  }

  func superEncoder() -> any Encoder { superEncoder(WireKey.super.stringValue) }

  func superEncoder(forKey key: Key) -> any Encoder { superEncoder(key.stringValue) }

  private func superEncoder(_ key: String) -> any Encoder {
    let nested = nested(.none, key)
    return WireEncoder(sink: nested, serial: nested.scope.serial, node: nested.scope.node)
  }

  private func nested(_ kind: EncoderSink.Kind, _ key: String) -> EncoderSink {
    do {
      let number = try sink.write(key: key, serial: serial)
      return sink.nested(kind, node: node, element: number)
    } catch {
      return sink.detached(kind, error)
    }
  }

  func encode(_ value: Bool, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: String, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Double, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Float, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Int, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Int8, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Int16, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Int32, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Int64, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: Int128, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: UInt, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: UInt8, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: UInt16, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: UInt32, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: UInt64, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }

  func encode(_ value: UInt128, forKey key: Key) throws {
    _ = try sink.write(key: key.stringValue, serial: serial)
    sink.write(value)
  }
}
