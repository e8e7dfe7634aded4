import Apus
import Glibc
import Testing

private struct Forwarding {
  let pool: ProcessPool
  /// What a user writes first: hands a function on that it was given as a parameter.
  func twice(_ inputs: [Int], _ body: @escaping @Sendable (Int) -> Int) async throws -> [Int] {
    try await pool.map(inputs, body)
  }
}

private func sizes<T: Codable & Sendable>(_ values: [T], _ pool: ProcessPool) async throws -> [Int] {
  try await pool.map(values) { (_: T) in MemoryLayout<T>.size }
}

extension ProcessPoolTests {
  /// Bodies that another process can't be told of: an error of that call which says what to do.
  @Suite struct NameabilityTests {
    private func expectRefused(_ words: [String], _ call: () async throws -> Void) async {
      let error = await #expect(throws: TaskError.self) { try await call() }
      #expect(error?.code == .functionNotNameable)
      for word in words { #expect(error?.message.contains(word) == true, "\(error?.message ?? "no error")") }
    }

    /// In debug and in release: the values are not known when the program is compiled.
    @Test func capturedValuesAreRefused() async throws {
      let (factor, offset) = (Int(getpid()), Int(getppid()))
      let words = ["\(factor)", "b"]
      try await withProcessPool(workers: 1) { (pool) async throws in
        await expectRefused(["captures", "1 value ", "with:"]) { _ = try await pool.map([1]) { $0 * factor } }
        await expectRefused(["captures", "2 values", "with:"]) {
          _ = try await pool.map([1]) { $0 * factor + offset }
        }
        await expectRefused(["captures"]) { _ = try await pool.run(1) { words[$0] } }
        await expectRefused(["captures"]) { _ = try await pool.submit(1) { $0 * factor }.value }
        await expectRefused(["captures"]) { _ = try await pool.first(in: [1]) { $0 == factor } }
        await expectRefused(["captures"]) { for try await _ in pool.results(of: [1], { $0 * factor }) {} }
        await expectRefused(["captures"]) { _ = try await pool.map([1], with: 2) { $0 * $1 * factor } }
        await expectRefused(["captures"]) { _ = try await pool.run(1) { (n: Int) async in n * factor } }
        let outcomes = await pool.outcomes(of: [1, 2]) { $0 * factor }
        #expect(outcomes.count == 2)
        for (index, outcome) in outcomes.enumerated() {
          let error = #expect(throws: TaskError.self) { try outcome.get() }
          #expect(error?.code == .functionNotNameable && error?.task == index)
        }
        // What to do instead.
        #expect(try await pool.map([1, 2], with: factor) { $0 * $1 } == [factor, 2 * factor])
      }
    }

    /// The call that is refused is named, also where the error comes out elsewhere.
    @Test func theErrorNamesTheCall() async throws {
      let factor = Int(getpid())
      try await withProcessPool(workers: 1) { (pool) async throws in
        func place(_ line: Int = #line) -> String { "\(#fileID):\(line + 1)" }
        await expectRefused([place()]) {
          _ = try await pool.map([1]) { $0 * factor }
        }
        await expectRefused([place()]) {
          _ = try await pool.run(1, with: 2) { $0 * $1 * factor }
        }
        await expectRefused([place()]) {
          _ = try await pool.submit(1, timeLimit: .seconds(9)) { (n: Int) async in n * factor }.value
        }
        await expectRefused([place()]) {
          for try await _ in pool.results(of: [1], { $0 * factor }) {}
        }
        let line = place()
        let function = RemoteFunction { (n: Int) in n * factor }
        await expectRefused([line]) { _ = try await pool.run(1, function) }
      }
    }

    @Test func aFunctionThatWasHandedOnIsRefused() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        // In debug and in release; where the optimiser sees through the wrapper it may name it after all.
        do {
          let values = try await Forwarding(pool: pool).twice([1, 2], double)
          #expect(values == [2, 4])
          #if DEBUG
            Issue.record("a debug build can't know the function")
          #endif
        } catch let error as TaskError {
          #expect(error.code == .functionNotNameable)
          #expect(error.message.contains("RemoteFunction"))
        }
      }
    }

    /// Debug refuses it, with an error that says why; in release the compiler may know the type.
    @Test func genericSurroundings() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        #if DEBUG
          await expectRefused(["generic"]) { _ = try await sizes([1, 2], pool) }
        #else
          do {
            #expect(try await sizes([1, 2], pool) == [8, 8])
          } catch let error as TaskError {
            #expect(error.code == .functionNotNameable)
            #expect(error.message.contains("generic"))
          }
        #endif
        // In both: the function is made where the types are known.
        #expect(try await pool.map([1, 2], RemoteFunction { (_: Int) in MemoryLayout<Int>.size }) == [8, 8])
      }
    }

    /// The pool is as good as before.
    @Test func othersAreNotAffected() async throws {
      let factor = Int(getpid())
      try await withProcessPool(workers: 1) { (pool) async throws in
        let before = pool.processIdentifiers
        _ = try? await pool.map([1]) { $0 * factor }
        #expect(try await pool.map([1, 2], double) == [2, 4])
        #expect(pool.processIdentifiers == before)
      }
    }
  }
}
