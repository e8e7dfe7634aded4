import Apus

struct Power: RawCodable {
  var base, exponent: Int
}

func power(_ task: Power) -> Int {
  (0..<task.exponent).reduce(1) { product, _ in product &* task.base }
}

func square(_ n: Int) -> Int { n * n }

func comeFromMultiprocessing() async throws {
  try await withProcessPool(workers: 4) { pool in
    let squares = try await pool.map(0..<10, square)
    expect(squares.last, 81)

    for try await square in pool.results(of: 0..<10, square) { print(square, terminator: " ") }  // imap
    for try await square in pool.results(of: 0..<10, order: .completion, square) {  // imap_unordered
      print(square, terminator: " ")
    }
    print()

    try await pool.forEach(["a", "b", "c"]) { name in print("hello from \(name)") }

    let tasks = [Power(base: 2, exponent: 10), Power(base: 3, exponent: 3)]
    let powers = try await pool.map(tasks, power)  // starmap
    expect(powers, [1024, 27])

    let one = try await pool.run(7, square)  // apply
    let later = pool.submit(8, square)  // apply_async
    expect([one, try await later.value], [49, 64])
  }

  let squares = try inSynchronousCode()
  expect(squares, [1, 4, 9])
}

func inSynchronousCode() throws -> [Int] {
  try withProcessPool(workers: 2) { pool in
    try pool.map([1, 2, 3], square)
  }
}
