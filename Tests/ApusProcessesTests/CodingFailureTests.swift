import Apus
import Glibc
import Testing

/// Fails in one of its two coders, by throwing or for good, for one of its values.
struct Delicate: Codable, Sendable, Equatable {
  enum Moment: String, Codable, Sendable { case never, encode, decode }
  enum Way: String, Codable, Sendable { case throwing, trapping }
  struct Broken: Error, Codable, Equatable { var moment: Moment }

  var number: Int
  var moment = Moment.never
  var way = Way.throwing

  init(_ number: Int, _ moment: Moment = .never, _ way: Way = .throwing) {
    (self.number, self.moment, self.way) = (number, moment, way)
  }

  private func fail(at moment: Moment) throws {
    guard moment == self.moment else { return }
    if way == .trapping { fatalError("a coder trapped") }
    throw Broken(moment: moment)
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    number = try container.decode(Int.self)
    moment = try container.decode(Moment.self)
    way = try container.decode(Way.self)
    try fail(at: .decode)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try fail(at: .encode)
    try container.encode(number)
    try container.encode(moment)
    try container.encode(way)
  }
}

struct NotCodable: Error, CustomStringConvertible {
  var description: String { "nothing that travels" }
}

struct WontEncode: Error, Codable {
  var text = "an error of errors"
  init() {}
  func encode(to encoder: any Encoder) throws { throw NotCodable() }
}

struct WontDecode: Error, Codable {
  init() {}
  init(from decoder: any Decoder) throws { throw NotCodable() }
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(1)
  }
}

/// An error of a generic type.
struct BadValue<Value: Codable & Equatable & Sendable>: Error, Codable, Equatable {
  struct Wrapped: Error, Codable, Equatable { var inner: BadValue }
  var value: Value
  var all: [Value]

  init(value: Value, of all: [Value]) { (self.value, self.all) = (value, all) }

  var wrapped: Wrapped { Wrapped(inner: self) }
}

extension ProcessPoolTests {
  /// Values that can't be coded: an error of their own task.
  @Suite struct CodingFailureTests {
    /// All but the task at 2 succeed; its error is returned.
    private func errorOfTwo(
      _ outcomes: [Result<Delicate, TaskError>]
    ) throws -> TaskError {
      #expect(outcomes.count == 5)
      for (index, outcome) in outcomes.enumerated() where index != 2 {
        #expect(try outcome.get().number == index)
      }
      let error = try #require(throws: TaskError.self) { try outcomes[2].get() }
      #expect(error.task == 2)
      return error
    }

    private func inputs(_ moment: Delicate.Moment, _ way: Delicate.Way = .throwing) -> [Delicate] {
      (0..<5).map { $0 == 2 ? Delicate($0, moment, way) : Delicate($0) }
    }

    @Test func argumentsThatThrow() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let encoding = try errorOfTwo(await pool.outcomes(of: inputs(.encode)) { $0 })
        #expect(encoding.code == .argumentNotEncodable)
        #expect(encoding.underlyingError as? Delicate.Broken == .init(moment: .encode))
        let decoding = try errorOfTwo(await pool.outcomes(of: inputs(.decode)) { $0 })
        #expect(decoding.code == .argumentNotDecodable)
        #expect(decoding.underlyingError as? Delicate.Broken == .init(moment: .decode))
        let thrown = await #expect(throws: TaskError.self) { try await pool.map(inputs(.encode)) { $0 } }
        #expect(thrown?.code == .argumentNotEncodable && thrown?.task == 2)
        let single = await #expect(throws: TaskError.self) { try await pool.run(Delicate(1, .encode)) { $0 } }
        #expect(single?.code == .argumentNotEncodable)
      }
    }

    @Test func resultsThatThrow() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let encoding = try errorOfTwo(
          await pool.outcomes(of: 0..<5) { $0 == 2 ? Delicate($0, .encode) : Delicate($0) })
        #expect(encoding.code == .resultNotEncodable)
        #expect(encoding.underlyingError as? Delicate.Broken == .init(moment: .encode))
        let decoding = try errorOfTwo(
          await pool.outcomes(of: 0..<5) { $0 == 2 ? Delicate($0, .decode) : Delicate($0) })
        #expect(decoding.code == .resultNotDecodable)
        #expect(decoding.underlyingError as? Delicate.Broken == .init(moment: .decode))
      }
    }

    /// In the worker, that is; in this process it ends the program, as a trap does.
    @Test func codersThatTrapInTheWorker() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let decoding = try errorOfTwo(
          await pool.outcomes(of: inputs(.decode, .trapping)) { Delicate($0.number) })
        #expect(decoding.code == .workerDied)
        #expect(decoding.standardError.contains("a coder trapped"))
        let encoding = try errorOfTwo(
          await pool.outcomes(of: 0..<5) { $0 == 2 ? Delicate($0, .encode, .trapping) : Delicate($0) })
        #expect(encoding.code == .workerDied)
        #expect(encoding.standardError.contains("a coder trapped"))
      }
    }

    @Test func errorsThatTravel() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        func error(_ call: () async throws -> Int) async -> TaskError? {
          do { _ = try await call() } catch { return error as? TaskError }
          return nil
        }
        let codable = await error { try await pool.run(7, halve) }
        #expect(codable?.underlyingError as? OddNumber == OddNumber(number: 7))
        #expect(codable?.message.contains("OddNumber") == true)

        let text = await error { try await pool.run(7) { (_: Int) -> Int in throw NotCodable() } }
        #expect(text?.code == .thrown && text?.underlyingError == nil)
        #expect(text?.message.contains("nothing that travels") == true)
        #expect(text?.message.contains("NotCodable") == true)

        let encoding = await error { try await pool.run(7) { (_: Int) -> Int in throw WontEncode() } }
        #expect(encoding?.code == .thrown && encoding?.underlyingError == nil)
        #expect(encoding?.message.contains("an error of errors") == true)

        let decoding = await error { try await pool.run(7) { (_: Int) -> Int in throw WontDecode() } }
        #expect(decoding?.code == .thrown && decoding?.underlyingError == nil)
        #expect(decoding?.message.contains("WontDecode") == true)

        let cancellation = await error {
          try await pool.run(7) { (_: Int) -> Int in throw CancellationError() }
        }
        #expect(cancellation?.code == .thrown)
      }
    }

    @Test func genericErrorsComeBackAsThemselves() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        func error(_ call: () async throws -> Int) async -> (any Error)? {
          do { _ = try await call() } catch { return (error as? TaskError)?.underlyingError }
          return nil
        }
        let number = await error {
          try await pool.run(3) { n -> Int in throw BadValue(value: n, of: [n, n]) }
        }
        #expect(number as? BadValue<Int> == BadValue(value: 3, of: [3, 3]))
        let own = await error {
          try await pool.run("x") { text -> Int in throw BadValue(value: Delicate(2), of: []) }
        }
        #expect(own as? BadValue<Delicate> == BadValue(value: Delicate(2), of: []))
        let nested = await error {
          try await pool.run(["a": 1]) { table -> Int in throw BadValue(value: table, of: [table]).wrapped }
        }
        #expect(
          nested as? BadValue<[String: Int]>.Wrapped == BadValue(value: ["a": 1], of: [["a": 1]]).wrapped)
      }
    }

    @Test func aLongDescriptionIsCut() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        struct Wordy: Error, CustomStringConvertible {
          var description: String { String(repeating: "word ", count: 1_000_000) }
        }
        let error = await #expect(throws: TaskError.self) {
          try await pool.run(1) { (_: Int) -> Int in throw Wordy() }
        }
        #expect(error?.code == .thrown)
        #expect((error?.message.utf8.count ?? .max) < 100_000)
      }
    }

    @Test func contextsThatThrow() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let encoding = await #expect(throws: TaskError.self) {
          try await pool.map([1, 2], with: Delicate(0, .encode)) { $0.number + $1 }
        }
        #expect(encoding?.code == .argumentNotEncodable)
        #expect(encoding?.underlyingError as? Delicate.Broken == .init(moment: .encode))
        let decoding = await pool.outcomes(of: [1, 2], with: Delicate(0, .decode)) { $0.number + $1 }
        for outcome in decoding {
          let error = #expect(throws: TaskError.self) { try outcome.get() }
          #expect(error?.code == .argumentNotDecodable)
          #expect(error?.message.contains("Broken") == true)
        }
        #expect(try await pool.run(1, double) == 2)
      }
    }

    /// A context that kills each worker it is sent to must end the call, not the patience of its caller.
    @Test func aContextThatTrapsInTheWorkerEndsTheCall() async throws {
      let run = try await runScenario("trapping context")
      #expect(!run.timedOut)
      #expect(run.output == "failed\n2\n")
    }
  }
}
