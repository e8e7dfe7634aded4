import ApusWire
import Foundation
import Testing

private struct Key: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(_ number: Int) { stringValue = "key \(number)" }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// Writes entries in the order given, and reads each key once, in the order of their numbers or against it.
private struct Entries: Codable, Equatable {
  static let backwards = CodingUserInfoKey(rawValue: "backwards")!
  var entries: [(key: Int, value: Int)]

  static func == (a: Self, b: Self) -> Bool {
    a.entries.map(\.key) == b.entries.map(\.key) && a.entries.map(\.value) == b.entries.map(\.value)
  }

  init(_ entries: [(Int, Int)]) { self.entries = entries }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for (index, entry) in entries.enumerated() {
      // Half of them through a container that is asked for anew, as a class and its base do.
      if index % 2 == 1 { container = encoder.container(keyedBy: Key.self) }
      try container.encode(entry.value, forKey: Key(entry.key))
    }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let keys = container.allKeys.map { Int($0.stringValue.dropFirst(4))! }.sorted()
    entries = []
    for key in keys { entries.append((key, try container.decode(Int.self, forKey: Key(key)))) }
    for (key, value) in entries.reversed() {
      #expect(try container.decode(Int.self, forKey: Key(key)) == value)
    }
  }
}

private class Animal: Codable {
  var name: String
  init(name: String) { self.name = name }
}

private final class Dog: Animal {
  var owner: String
  private enum Keys: String, CodingKey { case owner = "name" }

  init(name: String, owner: String) {
    self.owner = owner
    super.init(name: name)
  }

  required init(from decoder: any Decoder) throws {
    owner = try decoder.container(keyedBy: Keys.self).decode(String.self, forKey: .owner)
    try super.init(from: decoder)
  }

  override func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(owner, forKey: .owner)
    try super.encode(to: encoder)
  }
}

private class Shape: Codable {
  var name: String
  fileprivate enum Keys: String, CodingKey { case after, attributes, name, sides, second, first }
  init(name: String) { self.name = name }

  required init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    let attributes = try container.nestedContainer(keyedBy: Keys.self, forKey: .attributes)
    name = try attributes.decode(String.self, forKey: .name)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    var attributes = container.nestedContainer(keyedBy: Keys.self, forKey: .attributes)
    try attributes.encode("", forKey: .name)
    try attributes.encode(name, forKey: .name)
  }
}

/// Writes into the same nested containers as its base.
private final class Polygon: Shape {
  var sides: [Int]
  init(name: String, sides: [Int]) {
    self.sides = sides
    super.init(name: name)
  }

  required init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    let attributes = try container.nestedContainer(keyedBy: Keys.self, forKey: .attributes)
    let inner = try attributes.nestedContainer(keyedBy: Keys.self, forKey: .sides)
    sides = try inner.decode([Int].self, forKey: .first) + inner.decode([Int].self, forKey: .second)
    try super.init(from: decoder)
  }

  override func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(1, forKey: .after)
    var attributes = container.nestedContainer(keyedBy: Keys.self, forKey: .attributes)
    var first = attributes.nestedContainer(keyedBy: Keys.self, forKey: .sides)
    try first.encode(Array(sides.prefix(1)), forKey: .first)
    try super.encode(to: encoder)
    var second = attributes.nestedContainer(keyedBy: Keys.self, forKey: .sides)
    try second.encode(Array(sides.dropFirst()), forKey: .second)
  }
}

private struct Nested: Codable, Equatable {
  var child: [Entries]
  enum Keys: String, CodingKey { case child, twice }

  init(_ child: [Entries]) { self.child = child }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    var first = container.nestedUnkeyedContainer(forKey: .twice)
    try container.encode(child, forKey: .child)
    var second = container.nestedUnkeyedContainer(forKey: .twice)
    try second.encode("second")
    try first.encode("first")
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    #expect(try container.decode([String].self, forKey: .twice) == ["second", "first"])
    child = try container.decode([Entries].self, forKey: .child)
    #expect(container.allKeys.count == 2)
  }
}

/// A key that a container was given twice: the last value counts, as with Foundation's coders.
@Suite struct WireRepeatedKeysTests {
  @Test(arguments: [2, 20, 31, 40, 100, 1000])
  func theLastOneCounts(count: Int) throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20 {
      let written = (0..<count).map { ($0 % 7 == 0 ? $0 : Int.random(in: 0..<count, using: &random), $0) }
      let last = Dictionary(written) { $1 }
      let expected = Entries(last.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
      #expect(try wireRoundTrip(Entries(written)) == expected)
      #expect(
        try JSONDecoder().decode(Entries.self, from: JSONEncoder().encode(Entries(written))) == expected)
      #expect(
        try wireRoundTrip([Nested([Entries(written), Entries([])])]) == [Nested([expected, Entries([])])])
    }
  }

  @Test func aClassAndItsBase() throws {
    for _ in 0..<3 {
      let dog = try wireRoundTrip([Dog(name: "Rex", owner: "Ann")])[0]
      #expect(dog.name == "Rex" && dog.owner == "Rex")
    }
  }

  @Test func aClassAndItsBaseInTheSameNestedContainer() throws {
    for sides in [[1, 2, 3], []] {
      let polygon = try wireRoundTrip([Polygon(name: "Tri", sides: sides)])[0]
      #expect(polygon.name == "Tri" && polygon.sides == sides)
      let same = try JSONDecoder().decode(
        Polygon.self, from: JSONEncoder().encode(Polygon(name: "Tri", sides: sides)))
      #expect(same.name == "Tri" && same.sides == sides)
    }
    let nested = Nested([Entries([])])
    #expect(try JSONDecoder().decode(Nested.self, from: JSONEncoder().encode(nested)) == nested)
  }

  /// Many keys, none of them twice, in another order than in the container before.
  @Test func keysInAnotherOrderAreNotTwice() throws {
    let tables = (0..<20).map { _ in
      Dictionary(uniqueKeysWithValues: (0..<200).map { ("key \($0)", $0) }.shuffled())
    }
    #expect(try wireRoundTrip(tables) == tables)
  }
}

private struct Doubly: Codable, Equatable {
  var number: Int??
  var text: String???
  var list: [Int]??
  var after = 1
}

private enum Choice: Codable, Equatable { case one(Int??), two(value: String??) }

/// `.some(nil)` is not nil.
@Suite struct WireNestedOptionalTests {
  @Test func asAProperty() throws {
    let values = [
      Doubly(number: nil, text: nil, list: nil),
      Doubly(number: .some(nil), text: .some(nil), list: .some(nil)),
      Doubly(number: 5, text: .some(.some(nil)), list: [1]), Doubly(number: 0, text: "x", list: []),
    ]
    for value in values { #expect(try wireRoundTrip(value) == value) }
    #expect(try wireRoundTrip(values) == values)
    for choice in [Choice.one(nil), .one(.some(nil)), .one(1), .two(value: .some(nil)), .two(value: "a")] {
      #expect(try wireRoundTrip(choice) == choice)
    }
  }

  /// Whoever writes an optional as a value reads it as a property, and the other way round.
  @Test func writtenOneWayAndReadTheOther() throws {
    struct Explicit: Codable, Equatable {
      var number: Int?
      enum Keys: CodingKey { case number }
      init(number: Int?) { self.number = number }
      func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(number, forKey: .number)
      }
      init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        number = try container.decodeIfPresent(Int.self, forKey: .number)
        #expect(try (container.decodeIfPresent(Int?.self, forKey: .number) ?? nil) == number)
      }
    }
    for value in [Explicit(number: nil), Explicit(number: 7)] { #expect(try wireRoundTrip(value) == value) }
  }
}
