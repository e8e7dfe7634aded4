import Apus
import Testing

private struct Point: Codable, Sendable, Equatable { var x: Int, y: String }
private enum Colour: String, Codable, Sendable { case red, green }
private struct Pixel: RawCodable, Equatable { var x: Int32, y: Int32 }
private struct Box<T: Codable & Sendable & Equatable>: Codable, Sendable, Equatable { var content: T }
private final class Node: Codable, Sendable {
  let name: String
  init(name: String) { self.name = name }
}
private struct Refused: Error, Codable, Equatable { var reason: String }
private enum Namespace { struct Inner: Codable, Sendable, Equatable { var n: Int } }

extension ProcessPoolTests {
  /// Types whose mangled names hold an address, so that another process can't look them up.
  @Suite struct PrivateTypesTests {
    @Test func privateStructsAndEnumerationsWork() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let points = try await pool.map([Point(x: 1, y: "a")]) { Point(x: $0.x + 1, y: $0.y + "b") }
        #expect(points == [Point(x: 2, y: "ab")])
        #expect(try await pool.map([Colour.red]) { $0 == .red ? Colour.green : .red } == [.green])
        #expect(try await pool.map([Pixel(x: 1, y: 2)]) { Pixel(x: $0.y, y: $0.x) } == [Pixel(x: 2, y: 1)])
        #expect(try await pool.map([Namespace.Inner(n: 1)]) { Namespace.Inner(n: $0.n + 1) } == [.init(n: 2)])
        #expect(try await pool.map([1], with: Point(x: 5, y: "")) { $0.x + $1 } == [6])
      }
    }

    @Test func arraysAndOptionalsOfThemToo() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let arrays = try await pool.map([[Point(x: 1, y: "a")], []]) { $0.reversed() + [Point(x: 0, y: "")] }
        #expect(arrays == [[Point(x: 1, y: "a"), Point(x: 0, y: "")], [Point(x: 0, y: "")]])
        let optionals: [Point?] = try await pool.map([1, 2]) { $0 == 1 ? Point(x: $0, y: "one") : nil }
        #expect(optionals == [Point(x: 1, y: "one"), nil])
        let pixels = try await pool.map([3]) { (n: Int) in (0..<n).map { Pixel(x: Int32($0), y: 0) } }
        #expect(pixels == [(0..<3).map { Pixel(x: $0, y: 0) }])
        let nested: [[[Colour?]]] = try await pool.map([[[Colour.red, nil]]]) { [$0[0], []] }
        #expect(nested == [[[.red, nil], []]])
      }
    }

    @Test func localTypesToo() async throws {
      struct Local: Codable, Sendable, Equatable { var n: Int }
      enum Kind: Int, Codable, Sendable { case one, two }
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map([Local(n: 1)]) { Local(n: $0.n + 1) } == [Local(n: 2)])
        #expect(try await pool.map([[Kind.one]]) { $0 + [.two] } == [[.one, .two]])
      }
    }

    @Test func privateErrorsComeBackAsThemselves() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(1) { (_: Int) -> Int in throw Refused(reason: "no") }
        }
        #expect(error?.code == .thrown)
        #expect(error?.underlyingError as? Refused == Refused(reason: "no"))
      }
    }

    @Test func privateGenericTypesAndClassesAreRefusedByName() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        func expectRefused(_ name: String, _ call: () async throws -> Void) async {
          let error = await #expect(throws: TaskError.self) { try await call() }
          #expect(error?.code == .functionNotNameable)
          #expect(error?.message.contains(name) == true, "\(error?.message ?? "none")")
          #expect(error?.message.contains("private") == true)
        }
        await expectRefused("Box<Int>") { _ = try await pool.map([Box(content: 1)]) { $0.content } }
        await expectRefused("Node") { _ = try await pool.run(1) { Node(name: "\($0)") }.name }
        await expectRefused("Node") {
          _ = try await pool.map([1], with: Node(name: "n")) { $0.name + "\($1)" }
        }
        #expect(try await pool.run(1, double) == 2)
      }
    }
  }
}
