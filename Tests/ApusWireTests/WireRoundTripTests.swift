import ApusWire
import Foundation
import Testing

/// Encodes and decodes once, through `ValueCodec`, from memory that is not aligned.
func wireRoundTrip<T: Codable>(_ value: T) throws -> T {
  let codec = ValueCodec<T>()
  let buffer = ByteBuffer()
  buffer.append(UInt8(0))
  try codec.encode(value, into: buffer)
  return try codec.decode(UnsafeRawBufferPointer(rebasing: buffer.bytes[1...]))
}

func wireBytes<T: Codable>(_ value: T) throws -> [UInt8] {
  let buffer = ByteBuffer()
  try ValueCodec<T>().encode(value, into: buffer)
  return Array(buffer.bytes)
}

func wireDecode<T: Codable>(_ type: T.Type, _ bytes: [UInt8]) throws -> T {
  try bytes.withUnsafeBytes { try ValueCodec<T>().decode($0) }
}

/// `value` survives alone, in an array, as a field, as an optional and as a dictionary's value.
private func check<T: Codable & Equatable & Sendable>(
  _ value: T, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  #expect(try wireRoundTrip(value) == value, sourceLocation: sourceLocation)
  #expect(try wireRoundTrip([value, value]) == [value, value], sourceLocation: sourceLocation)
  #expect(try wireRoundTrip([T]()) == [], sourceLocation: sourceLocation)
  #expect(try wireRoundTrip(Box(value: value)) == Box(value: value), sourceLocation: sourceLocation)
  #expect(try wireRoundTrip(T?.some(value)) == value, sourceLocation: sourceLocation)
  #expect(try wireRoundTrip(T?.none) == nil, sourceLocation: sourceLocation)
  #expect(try wireRoundTrip([value, nil]) == [value, nil], sourceLocation: sourceLocation)
  #expect(try wireRoundTrip(["k": value]) == ["k": value], sourceLocation: sourceLocation)
  let optional = Optionals(first: nil, second: value, third: 7)
  #expect(try wireRoundTrip(optional) == optional, sourceLocation: sourceLocation)
}

private struct Box<T: Codable & Equatable & Sendable>: Codable, Equatable, Sendable { var value: T }

private struct Optionals<T: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
  var first: T?
  var second: T?
  var third: Int
}

struct WireParticle: RawCodable, Equatable { var x, y: Double, id: Int32 }

struct WireRecord: Codable, Equatable, Sendable {
  var id: Int
  var name: String
  var weights: [Double]
  var flags: [Bool]
  var particle: WireParticle
  var note: String?
  var shape: WireShape
  var children: [WireRecord]

  static let example = WireRecord(
    id: -77, name: "first\0second — naïve 🐦", weights: [1, .pi, -0.0, .infinity], flags: [true, false],
    particle: WireParticle(x: 1, y: 2, id: 3), note: nil, shape: .circle(radius: 2.5),
    children: [
      WireRecord(
        id: 1 << 40, name: String(repeating: "long ", count: 40), weights: [], flags: [],
        particle: WireParticle(x: -1, y: .nan, id: -3), note: "a note", shape: .empty, children: [])
    ])

  static func == (a: WireRecord, b: WireRecord) -> Bool {
    a.id == b.id && a.name == b.name && a.weights.map(\.bitPattern) == b.weights.map(\.bitPattern)
      && a.flags == b.flags && a.particle.x == b.particle.x && a.particle.id == b.particle.id
      && a.particle.y.bitPattern == b.particle.y.bitPattern && a.note == b.note && a.shape == b.shape
      && a.children == b.children
  }
}

indirect enum WireShape: Codable, Equatable, Sendable {
  case empty
  case circle(radius: Double)
  case pair(WireShape, WireShape)
  case named(String, sides: [Int]?)
}

@Suite struct WireRoundTripTests {
  @Test func integers() throws {
    func extremes<I: FixedWidthInteger & Codable & Sendable>(_: I.Type) throws {
      for value in [I.min, I.max, 0, 1, 127, I.max / 2, I.max / 3, I.min / 3] { try check(value) }
      for shift in 0..<I.bitWidth {
        let power = I(1) << I(shift)
        for value in [power, power &- 1, ~power] {
          #expect(try wireRoundTrip(Box(value: value)) == Box(value: value))
        }
      }
    }
    try extremes(Int.self)
    try extremes(Int8.self)
    try extremes(Int16.self)
    try extremes(Int32.self)
    try extremes(Int64.self)
    try extremes(Int128.self)
    try extremes(UInt.self)
    try extremes(UInt8.self)
    try extremes(UInt16.self)
    try extremes(UInt32.self)
    try extremes(UInt64.self)
    try extremes(UInt128.self)
  }

  @Test func floatingPointIsExactToTheBit() throws {
    for bits: UInt64 in [0, 1, 1 << 63, 0x7FF0_0000_0000_0000, 0x7FF8_0000_DEAD_BEEF, 0x7FF0_0000_0000_0001] {
      let value = Double(bitPattern: bits)
      #expect(try wireRoundTrip(value).bitPattern == bits)
      #expect(try wireRoundTrip(Box(value: value)).value.bitPattern == bits)
      #expect(try wireRoundTrip([nil, value] as [Double?])[1]!.bitPattern == bits)
    }
    for bits: UInt32 in [0, 1 << 31, 0x7FC0_BEEF, 0x7F80_0001] {
      #expect(try wireRoundTrip(Box(value: Float(bitPattern: bits))).value.bitPattern == bits)
    }
    try check(1.5 as Float16)
  }

  @Test func text() throws {
    for value in ["", "a", "\0", "a\0b", "fifteen bytes!!", "sixteen bytes!!!", "🐦‍⬛ naïve \u{301}"] {
      try check(value)
    }
    for count in [62, 63, 64, 65, 127, 128, 129, 20_000] {
      try check(String(repeating: "x", count: count))
    }
    try check(["", "b", String(repeating: "é", count: 300)])
  }

  @Test func booleans() throws {
    try check(true)
    try check([true, false, true])
  }

  @Test func rawTypes() throws {
    try check(WireParticle(x: 1, y: -2, id: 3))
    try check(SIMD2<Double>(1, 2))
    try check(SIMD3<Float>(1, 2, 3))
    try check(SIMD4<Int32>(1, 2, 3, 4))
    try check(SIMD64<UInt8>(repeating: 7))
    try check(ContiguousArray([1, 2, 3]))
  }

  @Test func formats() {
    #expect(WireType(Int.self).rawSize == 8)
    #expect(WireType(WireParticle.self).rawSize == 20)
    #expect(WireType([WireParticle].self).arrayStride == 24)
    #expect(WireType(ContiguousArray<Double>.self).arrayStride == 8)
    #expect(WireType([SIMD3<Float>].self).arrayStride == 16)
    for type in [WireType(Int.self), WireType(WireParticle.self)] { #expect(type.arrayStride == nil) }
    for type in [WireType([WireParticle].self), WireType([SIMD3<Float>].self)] {
      #expect(type.rawSize == nil)
    }
    for type in [
      WireType(Bool.self), WireType([Bool].self), WireType(String.self), WireType(Int?.self),
      WireType([[Int]].self), WireType(WireRecord.self),
    ] {
      #expect(type.rawSize == nil && type.arrayStride == nil)
    }
  }

  @Test func structuresAndEnumerations() throws {
    try check(WireRecord.example)
    try check(WireShape.pair(.pair(.empty, .named("n", sides: nil)), .named("", sides: [1, 2])))
    try check([1: "a", 2: "b"])
    try check(["a": [1, 2], "b": []])
    try check([WireShape2.a: 1, .b: 2])
    try check(Set(["a", "b", "c"]))
    try check([[1, 2], [], [3]])
    try check(1...5)
    try check(Result2.success(3))
  }

  @Test func optionalOfOptional() throws {
    for value: Int?? in [nil, .some(nil), 3] { #expect(try wireRoundTrip(value) == value) }
    let values: [Int???] = [nil, .some(nil), .some(.some(nil)), 3]
    #expect(try wireRoundTrip(values) == values)
  }

  @Test func rawArraysWithoutACopy() throws {
    let codec = ValueCodec<[Double]>()
    let values = [1.0, 2, 3]
    #expect(codec.withRawBytes(of: values) { $0.count } == 24)
    let made = try codec.makeArray(byteCount: 16) { storage in
      values.withUnsafeBytes { storage.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<16])) }
    }
    #expect(made == [1, 2])
    #expect(try codec.makeArray(byteCount: 0) { _ in } == [])
    #expect(throws: WireError.self) { try codec.makeArray(byteCount: 17) { _ in } }
    #expect(throws: WireError.self) { try codec.makeArray(byteCount: -8) { _ in } }
    #expect(throws: CancellationError.self) {
      try codec.makeArray(byteCount: 8) { _ in throw CancellationError() }
    }
    #expect(ValueCodec<String>().withRawBytes(of: "") { _ in 0 } == nil)
    #expect(try ValueCodec<String>().makeArray(byteCount: 8) { _ in } == nil)
  }

  @Test func arraysOfStructuresAreCompact() throws {
    struct Point: Codable { var horizontal, vertical: Int }
    let one = try wireBytes([Point(horizontal: 1, vertical: 2)]).count
    let two = try wireBytes([Point(horizontal: 1, vertical: 2), Point(horizontal: 3, vertical: 4)]).count
    // A tag, a length and two numbers each of a key and a small integer.
    #expect(two - one == 5 + 4)
  }

  @Test func dataOfFoundation() throws {
    let value = Data((0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) })
    try check(value)
    try check(Data())
    try check(value[10..<900])
    #expect(try wireBytes(value) == Array(value))
    #expect(try wireBytes(Box(value: value)).count < 1024)
    try check(URL(string: "https://example.org/a?b=c")!)
    try check(Date(timeIntervalSince1970: 1.25))
    try check(UUID())
    try check(Decimal(string: "3.14159")!)
  }

  @Test func manyKeys() throws {
    let large = Dictionary(uniqueKeysWithValues: (0..<5000).map { ("a key that is long: \($0)", $0) })
    try check(large)
    let small = Dictionary(uniqueKeysWithValues: (0..<5000).map { ($0, $0) })
    try check(small)
  }
}

enum WireShape2: String, Codable, Sendable { case a, b }

private enum Result2: Codable, Equatable { case success(Int), failure(message: String) }
