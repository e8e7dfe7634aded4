import Testing

@testable import ApusCore

private func triple(_ x: Int) -> Int { 3 * x }
private func describe<T>(_ value: T) -> String { "\(value)" }
private func makeAdder(_ amount: Int) -> @Sendable (Int) -> Int { { $0 + amount } }
private struct Plain: RawCodable { var x: Int32 }
private struct Hidden: Codable, Sendable { var x: Int }
private enum Choice: String, Codable, Sendable { case one }
private struct Generic<T: Codable & Sendable>: Codable, Sendable { var x: T }
private final class Reference: Codable, Sendable {}

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
      #expect(TypeReference.isPlain(try #require(_mangledTypeName(type))), "\(type)")
    }
    let intricate = [
      "SaySaySiGG", "SDySSSiG",  // generic
      "4test1AV" + String(repeating: "A", count: 8),  // refers back
      "4test1AV_4testt", "x", "4test1AVy", "0", "99999test", "\u{664}testV",
      String(repeating: "1aV", count: 400),  // long
    ]
    for name in intricate { #expect(!TypeReference.isPlain(name), "\(name)") }
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
