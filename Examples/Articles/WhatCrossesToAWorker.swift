import Apus
import Glibc

struct Reading: Codable, Sendable {
  var station: String
  var degrees: [Double]
}

func mean(_ reading: Reading) -> Double {
  reading.degrees.reduce(0, +) / Double(reading.degrees.count)
}

struct Point: RawCodable {
  var x, y: Double
}

struct NoData: Error, Codable {
  var station: String
}

func checkedMean(_ reading: Reading) throws -> Double {
  guard !reading.degrees.isEmpty else { throw NoData(station: reading.station) }
  return mean(reading)
}

/// Each worker reads it when a task of its first asks for it.
let altitudes: [String: Double] = readAltitudes()

func readAltitudes() -> [String: Double] { ["north": 400, "south": 50] }

func atSeaLevel(_ reading: Reading) -> Double {
  mean(reading) + altitudes[reading.station, default: 0] * 0.0065
}

/// Any function of the program, handed on.
func report(
  _ readings: [Reading], as value: RemoteFunction<Reading, Double>, in pool: ProcessPool
) async throws -> [String] {
  let values = try await pool.map(readings, value)
  return zip(readings, values).map { "\($0.station): \($1)" }
}

nonisolated(unsafe) var seen = 0

func crossToWorkers() async throws {
  let readings = [
    Reading(station: "north", degrees: [1, 3]), Reading(station: "south", degrees: [10, 20, 30]),
  ]
  try await withProcessPool(workers: 2) { pool in
    let means = try await pool.map(readings, mean)
    expect(means, [2, 20])

    let offsets = ["north": 0.5, "south": -0.25]
    let corrected = try await pool.map(readings, with: offsets) { offsets, reading in
      mean(reading) + offsets[reading.station, default: 0]
    }
    expect(corrected, [2.5, 19.75])

    do {
      _ = try await pool.map(readings) { mean($0) + offsets[$0.station, default: 0] }
    } catch let error as TaskError where error.code == .functionNotNameable {
      print(error)  // The body captures 1 value of the code around it, and a worker is another process, …
    }

    let lines = try await report(readings, as: RemoteFunction(atSeaLevel), in: pool)
    expect(lines, ["north: 4.6", "south: 20.325"])

    let points = [Point(x: 3, y: 4), Point(x: 5, y: 12)]
    let lengths = try await pool.map(points) { ($0.x * $0.x + $0.y * $0.y).squareRoot() }
    expect(lengths, [5, 13])

    do {
      _ = try await pool.run(Reading(station: "east", degrees: []), checkedMean)
    } catch let error as TaskError {
      if let missing = error.underlyingError as? NoData { print("no data from \(missing.station)") }
      expect((error.underlyingError as? NoData)?.station, "east")
    }

    // What the articles say about variables, arguments and the C library's random numbers.
    seen = 7
    let inWorkers = try await pool.map(Array(0..<4), chunking: .fixed(1)) { _ in seen }
    expect(inWorkers, [0, 0, 0, 0])
    let arguments = try await pool.run(0) { _ in CommandLine.arguments }
    print("a worker sees the arguments \(arguments)")
    setenv("APUS_ARTICLE", "late", 1)
    let variable = try await pool.run("APUS_ARTICLE") { (name: String) in getenv(name) == nil }
    expect(variable, true)
  }
  var numbers: [Int] = []
  for _ in 0..<2 {
    try await withProcessPool(workers: 1) { pool in
      numbers.append(try await pool.run(1) { _ in random() })
    }
  }
  expect(numbers[0], numbers[1])
}
