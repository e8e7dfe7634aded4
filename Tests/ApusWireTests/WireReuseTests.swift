import ApusSystem
import ApusWire
import Glibc
import TestSupport
import Testing

/// Sessions, containers and keys of one message are used again for the next: no message may see another.
@Suite(.serialized, .blocks) struct WireReuseTests {
  @Test func keyedContainersThatAreKept() throws {
    _ = try wireRoundTrip(Keeper(value: 1))
    let (oldWriter, oldReader) = (Kept.writer!, Kept.reader!)
    for value in 2...4 {
      #expect(try wireRoundTrip(Keeper(value: value)).value == value)
      var writer = oldWriter
      #expect(throws: WireError.self) { try writer.encode(7, forKey: .value) }
      #expect(throws: (any Error).self) { try oldReader.decode(Int.self, forKey: .value) }
      #expect(!oldReader.contains(.value) && oldReader.allKeys.isEmpty)
      #expect(throws: (any Error).self) {
        try oldReader.nestedContainer(keyedBy: Keeper.Keys.self, forKey: .value)
      }
    }
    (Kept.writer, Kept.reader) = (nil, nil)
  }

  @Test func aKeptContainerDuringAnotherMessage() throws {
    #expect(try wireRoundTrip(Outer(value: 3)).value == 3)
  }

  @Test func recursionThroughOneTypeOfKeys() throws {
    let tree = Tree(name: "a", children: [Tree(name: "b", children: [Tree(name: "c")]), Tree(name: "d")])
    for _ in 0..<3 { #expect(try wireRoundTrip(tree) == tree) }
  }

  @Test func keysOfTheMessageBefore() throws {
    struct AB: Codable, Equatable { var a = 1, b = 2 }
    struct BAC: Codable, Equatable { var b = 3, a = 4, c = 5 }
    struct A: Codable, Equatable { var a = 6 }
    struct Long: Codable, Equatable {
      var aNameOfMoreThanFifteenBytes = 1, a = 2, anotherNameOfMoreThanFifteenBytes = 3
    }
    for _ in 0..<3 {
      #expect(try wireRoundTrip(AB()) == AB())
      #expect(try wireRoundTrip(A()) == A())
      #expect(try wireRoundTrip(BAC()) == BAC())
      #expect(try wireRoundTrip(Long()) == Long())
      #expect(try wireRoundTrip(Int?(5)) == 5)
      #expect(try wireRoundTrip(["a": 1, "é": 2, "a key on the heap, made anew": 3]).count == 3)
      let many = Dictionary(uniqueKeysWithValues: (0..<3000).map { ("key number \($0) of many", $0) })
      #expect(try wireRoundTrip(many) == many)
    }
    // A message tells of its own keys, and of no others.
    #expect(try wireBytes(A()).count < wireBytes(AB()).count)
  }

  @Test func damagedKeysBetweenMessages() throws {
    let good = try wireBytes(Keeper(value: 9))
    for _ in 0..<3 {
      #expect(throws: WireError.self) { try wireDecode(Int?.self, [0x80, 1, 0x61, 1, 0xFF, 4, 0, 0, 0]) }
      #expect(throws: WireError.self) { try wireDecode(Tree.self, [8, 2, 0, 0, 0, 0, 0x80, 0, 0, 0, 0]) }
      #expect(try wireDecode(Keeper.self, good).value == 9)
    }
    (Kept.writer, Kept.reader) = (nil, nil)
  }

  @Test func manyThreadsAtATime() throws {
    let failures = Locked(0)
    var threads: [pthread_t] = []
    for _ in 0..<8 {
      var thread = pthread_t()
      pthread_create(
        &thread, nil,
        { argument in
          let failures = Unmanaged<Locked<Int>>.fromOpaque(argument!).takeUnretainedValue()
          for number in 0..<500 {
            let tree = Tree(name: "\(number)", children: [Tree(name: "a name that is on the heap \(number)")])
            if (try? wireRoundTrip(tree)) != tree { failures.withLock { $0 += 1 } }
          }
          return nil
        }, Unmanaged.passUnretained(failures).toOpaque())
      threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
    #expect(failures.withLock { $0 } == 0)
  }
}

private struct Tree: Codable, Equatable {
  var name: String
  var words = [1.5]
  var children: [Tree] = []
}

private struct Keeper: Codable {
  enum Keys: CodingKey { case value }
  var value: Int

  init(value: Int) { self.value = value }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(value, forKey: .value)
    if Kept.writer == nil { Kept.writer = container }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    value = try container.decode(Int.self, forKey: .value)
    if Kept.reader == nil { Kept.reader = container }
  }
}

/// Encodes and decodes another message of its own type between two values of its own.
private struct Outer: Codable {
  enum Keys: CodingKey { case value, after }
  var value: Int

  init(value: Int) { self.value = value }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(value, forKey: .value)
    if value > 0 { #expect(try wireRoundTrip(Outer(value: value - 1)).value == value - 1) }
    try container.encode(value, forKey: .after)
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    value = try container.decode(Int.self, forKey: .value)
    if value > 0 { #expect(try wireRoundTrip(Outer(value: value - 1)).value == value - 1) }
    let after = try container.decode(Int.self, forKey: .after)
    #expect(after == value)
  }
}

private enum Kept {
  // Sound: the tests that use them run one after the other, each on one thread.
  nonisolated(unsafe) static var writer: KeyedEncodingContainer<Keeper.Keys>?
  nonisolated(unsafe) static var reader: KeyedDecodingContainer<Keeper.Keys>?
}
