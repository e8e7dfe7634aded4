import ApusWire
import TestSupport
import Testing

/// Bytes that no encoder wrote: each is an error, and none a trap or a large allocation.
@Suite(.blocks) struct WireHostileTests {
  private struct Fields: Codable { var a: Int?, list: [String]? }

  @Test func headers() {
    for bytes: [UInt8] in [
      [], [0], [0, 0, 0], [0, 0, 0, 0],  // no room for a value
      [0x80, 255, 255, 255, 255],  // keys longer than the message
      [0x80, 1, 0, 0, 0],  // keys that take the value's place
      [0x80, 5, 1, 0, 0, 0],  // a key that is cut off
      [0x80, 1, 0xFF, 2, 0, 0, 0],  // a key that is no UTF-8
      [0x80, 0x80, 1, 0, 0, 0],  // a length that is cut off
    ] {
      #expect(throws: WireError.self, "\(bytes)") { try wireDecode(Fields.self, bytes) }
    }
  }

  @Test func values() {
    let lies: [[UInt8]] = [
      [3, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0], [14, 1], [0x17, 1, 2], [0x41],  // cut off
      [5, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],  // a string of 2^63 bytes
      [5, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
      [6, 0xFF, 0x7F], [7], [7, 0], [7, 0, 0, 0], [7, 99, 1, 0], [7, 1, 8, 0],
      [7, 0, 3, 4, 1, 2, 3, 4],  // raw bytes that are no whole elements
      [7, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
      [8, 255, 255, 255, 255], [9, 1, 0, 0, 0], [10, 0, 0, 0, 0, 0, 0, 0, 0x80],
      [11, 255, 255, 255, 255, 255, 255, 255, 255], [8, 0, 0],
      [13], [13, 13, 13], [0x20], [0x3F],
    ]
    for value in lies {
      #expect(throws: WireError.self, "\(value)") { try wireDecode(Fields.self, value + [0, 0, 0, 0]) }
      #expect(throws: WireError.self, "\(value)") { try wireDecode(Int?.self, value + [0, 0, 0, 0]) }
      let inside: [UInt8] = [9, UInt8(value.count), 0, 0, 0] + value
      #expect(throws: (any Error).self, "\(value)") { try wireDecode([Fields].self, inside + [0, 0, 0, 0]) }
      #expect(throws: (any Error).self, "\(value)") { try wireDecode([Int?].self, inside + [0, 0, 0, 0]) }
    }
  }

  @Test func trailingBytes() throws {
    let bytes = try wireBytes(WireRecord.example)
    #expect {
      try wireDecode(Int?.self, [0x80, 0x80, 0, 0, 0, 0])
    } throws: { ($0 as? WireError)?.code == .trailingBytes }
    for count in 0..<bytes.count {
      #expect(throws: (any Error).self) { try wireDecode(WireRecord.self, Array(bytes[..<count])) }
    }
    #expect(throws: WireError.self) { try wireDecode(Int.self, Array(repeating: 0, count: 9)) }
    #expect(throws: WireError.self) { try wireDecode(Bool.self, [0, 0]) }
  }

  @Test func keysThatDoNotExistOrComeTwice() throws {
    #expect(throws: WireError.self) { try wireDecode(Fields.self, [8, 2, 0, 0, 0, 0, 0x80, 0, 0, 0, 0]) }
    let keys: [UInt8] = [1, 0x61, 2, 0, 0, 0]
    #expect(try wireDecode(Fields.self, [8, 4, 0, 0, 0, 0, 0x81, 0, 0x81] + keys).a == 1)
    #expect(try wireDecode([String: Int].self, [8, 4, 0, 0, 0, 0, 0x81, 0, 0x81] + keys) == ["a": 1])
    // The first entry is damaged and never asked for.
    #expect(throws: (any Error).self) { try wireDecode([String: Int].self, [8, 2, 0, 0, 0, 0, 0x20] + keys) }
  }

  @Test func textAndBooleans() {
    #expect(throws: WireError.self) { try wireDecode(String.self, [0xC0, 0x80]) }
    #expect(throws: WireError.self) { try wireDecode([String].self, [1, 0xFF]) }
    #expect(throws: WireError.self) { try wireDecode([String].self, [2, 0x61]) }
    #expect(throws: WireError.self) { try wireDecode(Bool.self, [2]) }
    #expect(throws: WireError.self) { try wireDecode([Bool].self, [0, 1, 2]) }
    #expect(throws: (any Error).self) { try wireDecode(String?.self, [0x41, 0xFF, 0, 0, 0, 0]) }
  }

  @Test func nesting() {
    // Unkeyed containers in each other, as deep as the bytes allow.
    struct Nest: Codable {
      var inner: [Nest]
      init(from decoder: any Decoder) throws {
        inner = try decoder.singleValueContainer().decode([Nest].self)
      }
    }
    var bytes: [UInt8] = []
    for level in (0..<20_000).reversed() {
      let length = UInt32(level * 5)
      bytes += [9] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }
    #expect {
      try wireDecode(Nest.self, bytes + [0, 0, 0, 0])
    } throws: { ($0 as? WireError)?.code == .tooDeep }
    let some = [UInt8](repeating: 13, count: 100_000)
    #expect(throws: (any Error).self) { try wireDecode(Int??.self, some + [0x80, 0, 0, 0, 0]) }
  }

  @Test func containersOutliveTheirMessage() throws {
    struct Keeper: Codable {
      init() {}
      func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(1)
        Kept.encoding = list
      }
      init(from decoder: any Decoder) throws {
        Kept.decoder = decoder
        Kept.decoding = try decoder.unkeyedContainer()
      }
    }
    _ = try wireRoundTrip(Keeper())
    #expect(throws: WireError.self) { try Kept.encoding!.encode(2) }
    #expect(throws: WireError.self) { try Kept.decoding!.decode(Int.self) }
    #expect(throws: (any Error).self) { try Kept.decoder!.unkeyedContainer() }
    #expect(throws: (any Error).self) { try Kept.decoder!.singleValueContainer().decode(String.self) }
  }

  private enum Kept {
    // Sound: one test uses them, on one thread.
    nonisolated(unsafe) static var encoding: (any UnkeyedEncodingContainer)?
    nonisolated(unsafe) static var decoding: (any UnkeyedDecodingContainer)?
    nonisolated(unsafe) static var decoder: (any Decoder)?
  }
}
