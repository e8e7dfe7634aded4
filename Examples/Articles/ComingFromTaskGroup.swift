import Apus

func digest(_ text: String) -> Int {
  text.utf8.reduce(5381) { ($0 &* 33) ^ Int($1) }
}

func withTasks(_ texts: [String]) async -> [Int] {
  await withTaskGroup(of: (Int, Int).self) { group in
    for (index, text) in texts.enumerated() {
      group.addTask { (index, digest(text)) }
    }
    var digests = [Int](repeating: 0, count: texts.count)
    for await (index, digest) in group { digests[index] = digest }
    return digests
  }
}

func withWorkers(_ texts: [String]) async throws -> [Int] {
  try await withProcessPool { pool in
    try await pool.map(texts, digest)
  }
}

func comeFromTaskGroup() async throws {
  let texts = (0..<100).map { "text \($0)" }
  let inTasks = await withTasks(texts)
  let inWorkers = try await withWorkers(texts)
  expect(inTasks, inWorkers)

  let salt = 17
  try await withProcessPool(workers: 2) { pool in
    let salted = try await pool.map(texts, with: salt) { salt, text in digest(text) ^ salt }
    expect(salted, inTasks.map { $0 ^ salt })

    var largest = Int.min
    for try await digest in pool.results(of: texts, order: .completion, digest) {
      largest = max(largest, digest)
    }
    expect(largest, inTasks.max()!)

    let handle = pool.submit("one more", digest)
    print("meanwhile…")
    expect(try await handle.value, digest("one more"))
  }
}
