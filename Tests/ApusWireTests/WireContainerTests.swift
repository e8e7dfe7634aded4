import ApusWire
import Testing

/// What a type of its own may do with its encoder and decoder.
@Suite struct WireContainerTests {
  @Test func inheritance() throws {
    let derived = Derived(base: 1, own: "x", shared: [1, 2])
    let copy = try wireRoundTrip(derived)
    #expect(copy.base == 1 && copy.own == "x" && copy.shared == [1, 2])
    let flat = try wireRoundTrip(FlatDerived(base: 4, own: 5))
    #expect(flat.base == 4 && flat.own == 5)
  }

  @Test func nestedContainersInAnyOrder() throws {
    let value = Interleaved()
    let copy = try wireRoundTrip(value)
    #expect(copy.log == ["a1", "a2", "b1", "b2", "list0", "list1", "deep", "tail"])
    #expect(try wireRoundTrip([value, value]).count == 2)
  }

  @Test func keysInAnyOrder() throws {
    let copy = try wireRoundTrip(Backwards(count: 500))
    #expect(copy.sum == (0..<500).reduce(0, +))
  }

  @Test func aValueThatWritesNothing() throws {
    _ = try wireRoundTrip(Nothing())
    #expect(try wireRoundTrip([Nothing(), Nothing()]).count == 2)
    _ = try wireRoundTrip(["a": Nothing()])
    struct NoFields: Codable {}
    #expect(try wireRoundTrip([NoFields(), NoFields()]).count == 2)
  }

  @Test func unknownKeysAreSkippedAndMissingOnesNamed() throws {
    struct Wide: Codable { var a = 1, b = ["x"], c = WireRecord.example, d = 4 }
    struct Narrow: Codable { var d: Int, a: Int, e: Int? }
    struct Demanding: Codable { var a: Int, zebra: Int }
    let bytes = try wireBytes(Wide())
    let narrow = try wireDecode(Narrow.self, bytes)
    #expect(narrow.d == 4 && narrow.a == 1 && narrow.e == nil)
    #expect {
      try wireDecode(Demanding.self, bytes)
    } throws: { error in
      guard case DecodingError.keyNotFound(let key, _) = error else { return false }
      return key.stringValue == "zebra"
    }
  }

  @Test func arraysWrittenAsRawMemoryCanBeReadOneByOne() throws {
    #expect(try wireRoundTrip(ThroughArray(values: [1, -2, 300])).values == [1, -2, 300])
    #expect(try wireRoundTrip(FromArray(values: [1, -2, 300])).values == [1, -2, 300])
    struct Small: Codable { var v: [Int32] }
    struct Large: Codable { var v: [Int] }
    struct Tiny: Codable { var v: [Int8] }
    #expect(try wireDecode(Large.self, wireBytes(Small(v: [1, -70_000]))).v == [1, -70_000])
    #expect(throws: DecodingError.self) { try wireDecode(Tiny.self, wireBytes(Small(v: [1, -70_000]))) }
  }

  @Test func codingPaths() throws {
    struct Inner: Codable { var value: Int }
    struct Text: Codable { var value: String }
    struct Outer<T: Codable>: Codable { var list: [String: [T]] }
    let bytes = try wireBytes(Outer(list: ["k": [Text(value: "x")]]))
    #expect {
      try wireDecode(Outer<Inner>.self, bytes)
    } throws: { error in
      guard case DecodingError.typeMismatch(_, let context) = error else { return false }
      return context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
        == ["list", "k", "0", "value"]
    }
    #expect {
      try wireBytes(Outer(list: ["k": [Failing()]]))
    } throws: { error in
      (error as? Failing.Failure)?.path == ["list", "k", "Index 0"]
    }
  }

  @Test func narrowingIsAnError() throws {
    struct Wide: Codable { var v: Int }
    struct Narrow: Codable { var v: UInt8 }
    for value in [-1, 256, .max] {
      #expect(throws: DecodingError.self) { try wireDecode(Narrow.self, wireBytes(Wide(v: value))) }
    }
    #expect(try wireDecode(Narrow.self, wireBytes(Wide(v: 255))).v == 255)
  }

  @Test func errorsOfATypeLeaveTheBufferAsItWas() throws {
    let buffer = ByteBuffer()
    buffer.append(UInt32(7))
    #expect(throws: Failing.Failure.self) { try ValueCodec<[Failing]>().encode([Failing()], into: buffer) }
    #expect(buffer.count == 4)
    #expect(try wireRoundTrip(Forgiving(value: 5)).value == 5)
  }

  @Test func misuseIsAnError() throws {
    for misuse in Misuser.Kind.allCases {
      #expect(throws: WireError.self, "\(misuse)") { try wireBytes(Misuser(kind: misuse)) }
      #expect(throws: WireError.self, "\(misuse)") { try wireBytes([Misuser(kind: misuse)]) }
    }
    // And the coder works after that.
    #expect(try wireRoundTrip(WireRecord.example) == WireRecord.example)
  }

  @Test func encodingInsideEncoding() throws {
    #expect(try wireRoundTrip(Envelope(inner: .example)).inner == .example)
  }

  @Test func depth() throws {
    var chain = Chain(next: nil)
    for _ in 0..<400 { chain = Chain(next: chain) }
    #expect(try wireRoundTrip(chain).length == 401)
    for _ in 0..<2000 { chain = Chain(next: chain) }
    #expect { try wireBytes(chain) } throws: { ($0 as? WireError)?.code == .tooDeep }
    let cycle = Chain(next: nil)
    cycle.next = cycle
    #expect { try wireBytes(cycle) } throws: { ($0 as? WireError)?.code == .tooDeep }
    cycle.next = nil
  }
}

private class Base: Codable {
  var base: Int
  init(base: Int) { self.base = base }
}

private final class Derived: Base {
  var own: String
  var shared: [Int]
  enum Keys: String, CodingKey { case own, shared }

  init(base: Int, own: String, shared: [Int]) {
    self.own = own
    self.shared = shared
    super.init(base: base)
  }

  required init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    own = try container.decode(String.self, forKey: .own)
    shared = try container.decode([Int].self, forKey: .shared)
    try super.init(from: container.superDecoder())
  }

  override func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(own, forKey: .own)
    let parent = container.superEncoder()
    try container.encode(shared, forKey: .shared)
    try super.encode(to: parent)
  }
}

/// Writes its own entries into the same container as its superclass does.
private final class FlatDerived: Base {
  var own: Int
  enum Keys: String, CodingKey { case own }

  init(base: Int, own: Int) {
    self.own = own
    super.init(base: base)
  }

  required init(from decoder: any Decoder) throws {
    own = try decoder.container(keyedBy: Keys.self).decode(Int.self, forKey: .own)
    try super.init(from: decoder)
  }

  override func encode(to encoder: any Encoder) throws {
    try super.encode(to: encoder)
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(own, forKey: .own)
  }
}

private struct Interleaved: Codable {
  var log: [String] = []
  enum Keys: String, CodingKey { case a, b, list, tail, unused, x, y }

  init() {}

  func encode(to encoder: any Encoder) throws {
    var root = encoder.container(keyedBy: Keys.self)
    var a = root.nestedContainer(keyedBy: Keys.self, forKey: .a)
    var b = root.nestedContainer(keyedBy: Keys.self, forKey: .b)
    _ = root.superEncoder(forKey: .unused)
    try b.encode("b1", forKey: .x)
    var list = root.nestedUnkeyedContainer(forKey: .list)
    try a.encode("a1", forKey: .x)
    try root.encode("tail", forKey: .tail)
    try list.encode("list0")
    var deep = list.nestedUnkeyedContainer()
    try a.encode("a2", forKey: .y)
    try list.encode("list1")
    try deep.encode(["deep"])
    try b.encode("b2", forKey: .y)
  }

  init(from decoder: any Decoder) throws {
    let root = try decoder.container(keyedBy: Keys.self)
    var list = try root.nestedUnkeyedContainer(forKey: .list)
    let a = try root.nestedContainer(keyedBy: Keys.self, forKey: .a)
    let b = try root.nestedContainer(keyedBy: Keys.self, forKey: .b)
    for container in [a, b] {
      for key in [Keys.x, .y] { log.append(try container.decode(String.self, forKey: key)) }
    }
    #expect(list.count == 3)
    log.append(try list.decode(String.self))
    var deep = try list.nestedUnkeyedContainer()
    log.append(try list.decode(String.self))
    log += try deep.decode([String].self)
    #expect(list.isAtEnd && deep.isAtEnd && root.contains(.unused) && !root.contains(.x))
    #expect(root.allKeys.count == 5)
    log.append(try root.decode(String.self, forKey: .tail))
  }
}

private struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

private struct Backwards: Codable {
  var count: Int
  var sum = 0

  init(count: Int) { self.count = count }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: AnyKey.self)
    for index in 0..<count { try container.encode(index, forKey: AnyKey(stringValue: "key \(index)")) }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: AnyKey.self)
    count = container.allKeys.count
    for index in (0..<count).reversed() {
      sum += try container.decode(Int.self, forKey: AnyKey(stringValue: "key \(index)"))
      #expect(!container.contains(AnyKey(stringValue: "no key \(index)")))
    }
  }
}

private struct Nothing: Codable {
  init() {}
  init(from decoder: any Decoder) throws {}
  func encode(to encoder: any Encoder) throws {}
}

private struct ThroughArray: Codable {
  var values: [Int32]
  init(values: [Int32]) { self.values = values }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(values)
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    values = []
    while !container.isAtEnd { values.append(try container.decode(Int32.self)) }
    #expect(container.count == values.count && container.currentIndex == values.count)
  }
}

private struct FromArray: Codable {
  var values: [Int32]
  init(values: [Int32]) { self.values = values }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    for value in values { try container.encode(value) }
  }

  init(from decoder: any Decoder) throws {
    values = try decoder.singleValueContainer().decode([Int32].self)
  }
}

private struct Failing: Codable {
  struct Failure: Error { var path: [String] }
  init() {}
  init(from decoder: any Decoder) throws {}
  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode("half")
    throw Failure(path: encoder.codingPath.map(\.stringValue))
  }
}

/// Catches the error of a part and goes on.
private struct Forgiving: Codable {
  var value: Int
  enum Keys: CodingKey { case bad, list, value }
  init(value: Int) { self.value = value }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try? container.encode(Failing(), forKey: .bad)
    var list = container.nestedUnkeyedContainer(forKey: .list)
    try? list.encode(Failing())
    try list.encode(1)
    try container.encode(value, forKey: .value)
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    #expect(!container.contains(.bad))
    #expect(try container.decode([Int].self, forKey: .list) == [1])
    value = try container.decode(Int.self, forKey: .value)
  }
}

private struct Misuser: Codable {
  enum Kind: CaseIterable { case twoKinds, twoValues, parentInsideChild }
  enum Keys: CodingKey { case a, b }
  var kind: Kind
  init(kind: Kind) { self.kind = kind }
  init(from decoder: any Decoder) throws { kind = .twoKinds }

  func encode(to encoder: any Encoder) throws {
    switch kind {
    case .twoKinds:
      var keyed = encoder.container(keyedBy: Keys.self)
      try keyed.encode(1, forKey: .a)
      var unkeyed = encoder.unkeyedContainer()
      try unkeyed.encode(2)
    case .twoValues:
      var single = encoder.singleValueContainer()
      try single.encode(1)
      try single.encode(2)
    case .parentInsideChild:
      var container = encoder.container(keyedBy: Keys.self)
      try container.encode(Intruder(container: container), forKey: .a)
    }
  }

  struct Intruder: Encodable {
    var container: KeyedEncodingContainer<Keys>
    func encode(to encoder: any Encoder) throws {
      var container = container
      try container.encode(1, forKey: .b)
    }
  }
}

/// Its value travels as a message inside the message.
private struct Envelope: Codable {
  var inner: WireRecord
  init(inner: WireRecord) { self.inner = inner }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(wireBytes(inner))
  }

  init(from decoder: any Decoder) throws {
    inner = try wireDecode(WireRecord.self, decoder.singleValueContainer().decode([UInt8].self))
  }
}

private final class Chain: Codable {
  var next: Chain?
  init(next: Chain?) { self.next = next }
  var length: Int {
    var length = 1
    var node = next
    while let link = node { (length, node) = (length + 1, link.next) }
    return length
  }
}
