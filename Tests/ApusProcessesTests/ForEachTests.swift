import Apus
import Glibc
import Testing

private struct Note: Codable, Sendable {
  let marks: Marks
  let text: String
}

private func leaveNote(_ note: Note) { note.marks.set("note", note.text) }

private func leaveNoteLater(_ note: Note) async throws {
  try await Task.sleep(for: .milliseconds(1))
  note.marks.set("note", note.text)
}

private func demandEven(_ n: Int) throws {
  if n % 2 == 1 { throw OddNumber(number: n) }
}

private func breakQuietly(_ n: Int) { precondition(n != 5) }

extension ProcessPoolTests {
  /// Functions that return nothing.
  @Suite struct ForEachTests {
    /// What the tasks of a call noted, in order.
    private func notes(_ call: (Marks) async throws -> Void) async throws -> [String] {
      let folder = TemporaryFolder()
      try await call(folder.marks)
      return folder.marks.lines("note").sorted()
    }

    /// What has come is worked on while the others are awaited, so a failure ends the call before many more are drawn.
    @Test func inputsThatAreSlowToCome() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let inputs = Counted(delay: 20_000)
        let error = await #expect(throws: TaskError.self) { try await pool.forEach(inputs, demandEven) }
        #expect(error?.underlyingError is OddNumber)
        #expect(inputs.drawn < 10, "\(inputs.drawn)")
      }
    }

    @Test(arguments: [0, 2])
    func everyInputOnce(workers: Int) async throws {
      let texts = (10..<40).map { "\($0)" }
      try await withProcessPool(workers: workers) { (pool) async throws in
        #expect(
          try await notes { m in try await pool.forEach(texts.map { Note(marks: m, text: $0) }, leaveNote) }
            == texts)
        #expect(
          try await notes { m in
            try await pool.forEach(texts.map { Note(marks: m, text: $0) }, leaveNoteLater)
          }
            == texts)
        #expect(
          try await notes { m in
            try await pool.forEach(texts, with: m) { marks, text in marks.set("note", text) }
          } == texts)
        #expect(
          try await notes { m in
            try await pool.forEach(10..<40, with: m, chunking: .fixed(3)) { (marks, n: Int) async in
              await Task.yield()
              marks.set("note", "\(n)")
            }
          } == texts)
        try await pool.forEach(0..<100_000) { _ in }
        try await pool.forEach((0..<2000).lazy.filter { $0 % 2 == 0 }, demandEven)
        try await pool.forEach([Int](), demandEven)
      }
    }

    @Test(arguments: [0, 2])
    func blocking(workers: Int) throws {
      let folder = TemporaryFolder()
      let texts = (10..<40).map { "\($0)" }
      try withProcessPool(workers: workers) { (pool) throws in
        try pool.forEach(texts, with: folder.marks) { marks, text in marks.set("note", text) }
        try pool.forEach(texts.map { Note(marks: folder.marks, text: $0) }, leaveNote)
        try pool.forEach(texts.map { Note(marks: folder.marks, text: $0) }, leaveNoteLater)
        try pool.forEach(texts, with: folder.marks) { (marks, text) async in
          await Task.yield()
          marks.set("note", text)
        }
        #expect(throws: TaskError.self) { try pool.forEach([2, 3], demandEven) }
        try pool.run(4, demandEven)
        try pool.run(Note(marks: folder.marks, text: "40"), leaveNoteLater)
        try pool.run(40, with: folder.marks) { marks, n in marks.set("note", "\(n)") }
        try pool.submit(4, demandEven).wait()
      }
      #expect(folder.marks.lines("note").sorted() == (texts + texts + texts + texts + ["40", "40"]).sorted())
    }

    @Test func theFirstErrorEndsIt() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) {
          try await pool.forEach([0, 2, 4, 7, 8], demandEven)
        }
        #expect(error?.code == .thrown && error?.task == 3)
        #expect(error?.underlyingError as? OddNumber == OddNumber(number: 7))
        try await pool.forEach([2, 4], demandEven)
      }
    }

    @Test func oneCallByItself() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        try await pool.run(2, demandEven)
        let error = await #expect(throws: TaskError.self) { try await pool.run(3, demandEven) }
        #expect(error?.underlyingError as? OddNumber == OddNumber(number: 3))
        let noted = try await notes { marks in
          try await pool.run("a", with: marks) { marks, text in marks.set("note", text) }
          try await pool.run("b", with: marks) { (marks, text) async in marks.set("note", text) }
          try await pool.run(Note(marks: marks, text: "c"), leaveNote)
          try await pool.run(Note(marks: marks, text: "d"), leaveNoteLater)
          let handles = [
            pool.submit(Note(marks: marks, text: "e"), leaveNote),
            pool.submit(Note(marks: marks, text: "f"), leaveNoteLater),
            pool.submit("g", with: marks) { marks, text in marks.set("note", text) },
            pool.submit("h", with: marks) { (marks, text) async in marks.set("note", text) },
          ]
          for handle in handles { try await handle.value }
        }
        #expect(noted == "abcdefgh".map { "\($0)" })
        let failing = pool.submit(7, demandEven)
        await #expect(throws: TaskError.self) { try await failing.value }
      }
    }

    @Test func functionsThatAreKept() async throws {
      let folder = TemporaryFolder()
      let table: [String: RemoteFunction<Int, Void>] = [
        "check": RemoteFunction(demandEven),
        "note": RemoteFunction(with: folder.marks) { marks, n in marks.set("note", "\(n)") },
        "wait": RemoteFunction { (n: Int) async throws in try await Task.sleep(for: .microseconds(n)) },
      ]
      try await withProcessPool(workers: 2) { (pool) async throws in
        for function in table.values {
          try await pool.forEach([2, 4, 6], function)
          try await pool.run(8, function)
          try await pool.submit(10, function).value
        }
      }
      #expect(Set(folder.marks.lines("note")) == ["2", "4", "6", "8", "10"])
    }

    @Test func aCrashNamesTheFunction() async throws {
      try await withProcessPool(workers: 2) { (pool) async throws in
        let error = await #expect(throws: TaskError.self) { try await pool.forEach(0..<10, breakQuietly) }
        #expect(error?.code == .workerDied && error?.task == 5)
        let message = error?.message ?? ""
        #expect(message.contains(/died in (\w+\.)?breakQuietly(\(_:\))?: signal/), "\(message)")
        let closure = await #expect(throws: TaskError.self) {
          try await pool.run("x") { (text: String) in precondition(text.isEmpty) }
        }
        #expect(
          closure?.message.contains("aCrashNamesTheFunction()") == true, "\(String(describing: closure))")
      }
    }

    @Test func whatCapturesIsRefused() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let names = (CommandLine.argc...CommandLine.argc).map { "\($0)" }
        let error = await #expect(throws: TaskError.self) {
          try await pool.forEach([1]) { (_: Int) in print(names) }
        }
        #expect(error?.code == .functionNotNameable)
      }
    }

    /// A value where one is wanted, nothing where it is not.
    @Test func theResultDecidesTheForm() async throws {
      try await withProcessPool(workers: 1) { (pool) async throws in
        let doubled = try await pool.run(3) { $0 * 2 }
        #expect(doubled == 6)
        let function = RemoteFunction { (n: Int) in n * 3 }
        #expect(try await pool.run(3, function) == 9)
        let handle = pool.submit(3) { (n: Int) in double(n) }
        #expect(try await handle.value == 6)
      }
    }
  }
}
