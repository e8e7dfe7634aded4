import Apus
import Dispatch
import Glibc
import Testing

private struct Geometry {
  static func area(_ side: Double) -> Double { side * side }
  static let half: @Sendable (Double) -> Double = { $0 / 2 }
}

private func largest<T: Comparable>(_ values: [T]) -> T { values.max()! }

private func makeAdder(_ amount: Int) -> @Sendable (Int) -> Int { { $0 + amount } }

private func later(_ x: Int) async throws -> Int {
  try await Task.sleep(for: .milliseconds(1))
  return x + 1
}

@MainActor private func onTheMainActor(_ x: Int) -> Int {
  MainActor.assertIsolated()
  dispatchPrecondition(condition: .onQueue(.main))
  return x + 100
}

private actor Keeper {
  var base = 5

  func mapped(_ pool: ProcessPool) async throws -> [Int] { try await pool.map([base, 2]) { $0 * 3 } }
}

/// A user's own interface on top of a pool.
private struct Batch<Input: Codable & Sendable, Output: Codable & Sendable> {
  let function: RemoteFunction<Input, Output>
  func callAsFunction(_ inputs: [Input], in pool: ProcessPool) async throws -> [Output] {
    try await pool.map(inputs, function)
  }
}

extension ProcessPoolTests {
  /// What a body can be.
  @Suite struct BodiesTests {
    @Test func functionsOfEveryKind() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map([1.0, 2.0], Geometry.area) == [1, 4])
        #expect(try await pool.map([1.0, 2.0], Geometry.half) == [0.5, 1])
        #expect(try await pool.map([[1, 3, 2]], largest) == [3])
        #expect(try await pool.map([["b", "a"]], largest) == ["b"])
        #expect(try await pool.map([1, 2], makeAdder(5)) == [6, 7])
        #expect(try await pool.map([1, -2], abs) == [1, 2])
        #expect(try await pool.map([1, 2], String.init(describing:)) == ["1", "2"])
        let lengths: [Int] = try await pool.map(["a", "bcd"], \.count)
        #expect(lengths == [1, 3])
        let lower: [String] = try await pool.map(["ABC"]) { $0.lowercased() }
        #expect(lower == ["abc"])
      }
    }

    @Test func closuresOfSeveralStatements() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let values = try await pool.map([3, 4]) { (n: Int) -> [Int] in
          var divisors: [Int] = []
          for candidate in 1...n where n % candidate == 0 { divisors.append(candidate) }
          return divisors
        }
        #expect(values == [[1, 3], [1, 2, 4]])
      }
    }

    @Test func asynchronousBodies() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map(0..<20, later) == (1..<21).map { $0 })
        let both = try await pool.map([1, 2]) { (n: Int) async in
          async let a = later(n)
          async let b = later(10 * n)
          return (try? await a + b) ?? 0
        }
        #expect(both == [13, 24])
        // Plain bodies go on working in workers that have left their main thread to the main actor.
        #expect(try await pool.map(0..<20, double) == (0..<20).map { 2 * $0 })
      }
    }

    @Test func bodiesOnTheMainActor() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await pool.map([1, 2, 3]) { await onTheMainActor($0) } == [101, 102, 103])
      }
    }

    @Test func bodiesThatUseDispatch() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let values = try await pool.map([10, 20]) { (n: Int) -> Int in
          DispatchQueue(label: "one").sync { n + 1 } + DispatchQueue.global().sync { 1 }
        }
        #expect(values == [12, 22])
      }
    }

    @Test func closuresInActors() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await Keeper().mapped(pool) == [15, 6])
      }
    }

    @Test func storedFunctionsThroughAWrapperOfTheUser() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        #expect(try await Batch(function: RemoteFunction(double))([1, 2], in: pool) == [2, 4])
        #expect(try await Batch(function: RemoteFunction(later))([1, 2], in: pool) == [2, 3])
        let table: [String: RemoteFunction<Int, Int>] = [
          "double": RemoteFunction(double), "negate": RemoteFunction { -$0 },
          "scale": RemoteFunction(with: 7) { $0 * $1 },
        ]
        #expect(try await pool.run(3, table["negate"]!) == -3)
        #expect(try await pool.run(3, table["scale"]!) == 21)
        #expect(try await pool.submit(3, table["double"]!).value == 6)
        #expect(await pool.outcomes(of: [3], table["negate"]!).map { try? $0.get() } == [-3])
        #expect(try await pool.results(of: [3], table["scale"]!).nextOutcome()?.result.get() == 21)
      }
    }

    @Test func aWorkerKnowsThatItIsOne() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        #expect(try await pool.run(0) { (_: Int) in PoolTask.isInWorker })
        #expect(try await pool.run(0) { (_: Int) in getpid() } == pool.processIdentifiers[0])
        #expect(!PoolTask.isInWorker)
        #expect(try await pool.run(0) { (_: Int) in PoolTask.isCancelled } == false)
      }
    }
  }
}
