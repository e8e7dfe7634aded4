@testable import ApusWire
import Testing

private func triple(_ x: Int) -> Int { 3 * x }
private func describe<T>(_ value: T) -> String { "\(value)" }
private func makeAdder(_ amount: Int) -> @Sendable (Int) -> Int { { $0 + amount } }
private struct Plain: RawCodable { var x: Int32 }
private struct Hidden: Codable, Sendable { var x: Int }
private enum Choice: String, Codable, Sendable { case one }
private struct Generic<T: Codable & Sendable>: Codable, Sendable { var x: T }
private final class Reference: Codable, Sendable {}

struct Pair<A, B> {
  struct Inner<C> {}
}
struct PairOfFunctionsTests<T> {}

/// Naming functions and types to another process that runs the same program. In debug and in release alike.
@Suite struct FunctionsTests {
  private func definition<I, O>(_ function: RemoteFunction<I, O>) throws -> FunctionDefinition {
    try function.source.definition()
  }

  @Test func anyFunctionOfTheProgramCanBeNamed() throws {
    _ = try definition(RemoteFunction(triple))
    _ = try definition(RemoteFunction { (n: Int) in n + 1 })
    _ = try definition(RemoteFunction<Int, String>(describe))
    _ = try definition(RemoteFunction<String, Int>(\.count))
    _ = try definition(RemoteFunction(makeAdder(5)))
    _ = try definition(RemoteFunction { (n: Int) async in n })
    _ = try definition(RemoteFunction<Int, Int>(with: 3) { $0 + $1 })
  }

  @Test func capturedValuesCantBeNamed() throws {
    let number = CommandLine.arguments.count
    #expect(throws: FunctionProblem.self) { try definition(RemoteFunction { (n: Int) in n + number }) }
  }

  /// Each body is one function for a worker, however often it is named; another body, or other types, is another.
  @Test func aBodyIsNamedOnce() throws {
    func make() -> RemoteFunction<Int, Int> { RemoteFunction(triple) }
    #expect(try definition(make()).id == definition(make()).id)
    #expect(try definition(make()).id != definition(RemoteFunction { (n: Int) in n }).id)
    func makeDescribe<T: Codable & Sendable>(_: T.Type) throws -> UInt64? {
      try? definition(RemoteFunction<T, String> { describe($0) }).id
    }
    if let one = try makeDescribe(Int.self) { #expect(try one != makeDescribe(Double.self)) }
  }

  /// A context is part of the function: it is encoded once for all calls.
  @Test func aContextMakesAFunctionOfItsOwn() throws {
    let functions = [1, 2].map { RemoteFunction<Int, Int>(with: $0) { $0 + $1 } }
    #expect(try definition(functions[0]).id != definition(functions[1]).id)
    #expect(try definition(functions[0]).id == definition(functions[0]).id)
    #expect(try definition(functions[0]).carriesContext)
    #expect(try !definition(RemoteFunction(triple)).carriesContext)
  }

  @Test func plainMemoryHasStrides() throws {
    #expect(try definition(RemoteFunction(triple)).strides?.output == 8)
    #expect(try definition(RemoteFunction { (n: Int) in Plain(x: Int32(n)) }).strides?.output == 4)
    #expect(try definition(RemoteFunction { (n: Int) in "\(n)" }).strides == nil)
    #expect(try definition(RemoteFunction { (n: Int) in n > 0 }).strides == nil)
    #expect(try definition(RemoteFunction { (n: Int) async in n }).strides == nil)
  }

  /// Private and local types are found by their place in the program, unless they are generic or classes.
  @Test func typesAreFoundAgain() throws {
    struct Local: Codable {}
    let types: [Any.Type] = [
      Int.self, String.self, [Int].self, [String: [Int?]].self, Hidden.self, Choice.self, Local.self,
      [Hidden].self, Hidden?.self, [[Choice?]].self,
    ]
    for type in types {
      let reference = try #require(TypeReference(type))
      #expect(try reference.resolve() == type)
    }
    #expect(TypeReference(Generic<Int>.self) == nil)
    #expect(TypeReference(Reference.self) == nil)
    #expect(TypeReference([Reference].self) == nil)
  }

  /// A worker may name a type that the runtime finds at once, by its name or in the program's table; no other.
  @Test func aWorkersWordForATypeIsNotBelieved() throws {
    for type in [DecodingError.self, FailureReport.self, FailureReport.Phase.self] as [Any.Type] {
      #expect(MangledName.isHarmless(try #require(_mangledTypeName(type))), "\(type)")
    }
    let intricate = [
      "4test1AV" + String(repeating: "AA", count: 13), "4test1AVA13A",  // refers back
      "4test1AV_4testt", "x", "So8NSObjectC", "0", "99999test", "\u{664}testV", "4te\u{1}tV", "5test", "0a",
      "S99i", "A", "\u{1}\u{2}\u{3}\u{4}\u{5}",
      String(repeating: "1aV", count: 400),  // long
    ]
    for name in intricate { #expect(!MangledName.isHarmless(name), "\(name)") }
    func report(_ append: (ByteBuffer) -> Void) throws -> FailureReport {
      let bytes = ByteBuffer()
      bytes.append(FailureReport.Phase.call.rawValue)
      bytes.append(string: "Program.Problem")
      bytes.append(string: "it broke")
      append(bytes)
      return try FailureReport(decoding: bytes.bytes)
    }
    for name in intricate {
      let found = try report {
        $0.append(UInt8(0))
        $0.append(string: name)
      }
      #expect(found.error == nil && found.text == "it broke")
    }
    // The address of a function, as that of a type.
    let function: @convention(c) (Int) -> Int = { $0 }
    let place = try #require(CodeReference(unsafeBitCast(function, to: UInt.self)))
    let found = try report {
      $0.append(UInt8(1))
      place.append(to: $0)
    }
    #expect(found.error == nil && found.text == "it broke")
  }

  /// Errors of generic types: by the names that the compiler gives them.
  @Test func genericTypesAreNamed() throws {
    let types: [Any.Type] = [
      Pair<Int, String>.self, Pair<[Int], [String: Pair<Int?, Double>]>.self,
      Pair<FunctionsTests, WireRecord>.self,
      Pair<Pair<WireRecord, WireRecord>, WireRecord>.Inner<Set<UInt8>>.self, PairOfFunctionsTests<Int>.self,
    ]
    for type in types {
      let name = try #require(_mangledTypeName(type))
      #expect(MangledName.isHarmless(name), "\(name)")
      #expect(_typeByName(name) == type)
    }
  }

  /// Each level twice the one before: the name grows by two characters, the time to resolve it doubles.
  @Test func aTypeThatTakesForEverIsNotAskedFor() throws {
    func name<T>(_: T.Type, levels: Int) throws -> String {
      levels == 0 ? try #require(_mangledTypeName(T.self)) : try name(Pair<T, T>.self, levels: levels - 1)
    }
    #expect(MangledName.isHarmless(try name(Int.self, levels: 3)))
    #expect(!MangledName.isHarmless(try name(Int.self, levels: 20)))
  }

  /// Names that somebody spoilt: the runtime knows no such type, and comes to an end.
  @Test func spoiltNamesOfTypes() throws {
    let seed = try #require(
      _mangledTypeName(Pair<Pair<WireRecord, [Int]>, PairOfFunctionsTests<String>>.self))
    let characters = Array("0123456789AVCOSGyisa_bB".utf8)
    for _ in 0..<3000 {
      var bytes = Array(seed.utf8)
      for _ in 0..<Int.random(in: 1...4) {
        let place = bytes.indices.randomElement()!
        switch Int.random(in: 0..<3) {
        case 0: bytes[place] = characters.randomElement()!
        case 1: bytes.insert(characters.randomElement()!, at: place)
        default: bytes.remove(at: place)
        }
      }
      let spoilt = String(decoding: bytes, as: UTF8.self)
      if MangledName.isHarmless(spoilt) { _ = _typeByName(spoilt) }
    }
  }

  @Test func aPlaceInAnotherBuildIsRefused() throws {
    let bytes = ByteBuffer()
    let function: @convention(c) (Int) -> Int = { $0 }
    let place = try #require(CodeReference(unsafeBitCast(function, to: UInt.self)))
    place.append(to: bytes)
    let image = Array(bytes.bytes)
    func resolve(_ bytes: [UInt8]) throws -> UInt {
      try bytes.withUnsafeBytes {
        var reader = ByteReader($0)
        return try CodeReference(from: &reader).resolve()
      }
    }
    _ = try resolve(image)
    var other = image
    other[3] ^= 1  // the image's identity
    #expect(throws: WorkerProtocolError.self) { try resolve(other) }
    var outside = image
    outside[26] = 0xff  // a high byte of the offset
    #expect(throws: WorkerProtocolError.self) { try resolve(outside) }
    for length in 0..<image.count {
      #expect(throws: WorkerProtocolError.self) { try resolve(Array(image.prefix(length))) }
    }
  }
}
