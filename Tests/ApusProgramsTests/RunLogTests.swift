import ApusSystem
import Glibc
import TestSupport
import Testing

/// What a run notes of its jobs, and going on with it.
@Suite(.timeLimit(.minutes(10))) struct RunLogTests {
  @Test func aRunGoesOn() async throws {
    try await withFolder { (folder) async throws in
      let (log, list) = ("\(folder)/log", "\(folder)/list")
      func go(_ options: String..., inputs: [String]) async throws -> RunResult {
        try await apus(
          arguments: ["--log", log] + options
            + [
              "sh", "-c", "echo $1 >> \(list); test $1 != bad || test -e \(folder)/mended", "sh", "{}", ":::",
            ] + inputs)
      }
      #expect(try await go(inputs: ["a", "bad", "a"]).status == .exited(1))
      #expect(try readLines(list).sorted() == ["a", "a", "bad"])
      // There is a log already.
      #expect(try await go(inputs: ["a"]).status == .exited(74))
      // Jobs are known by what they are, not by their place.
      #expect(try await go("--resume", inputs: ["b", "a", "bad", "a", "a"]).status == .exited(1))
      #expect(try readLines(list).dropFirst(3).sorted() == ["a", "b", "bad"])
      close(open("\(folder)/mended", O_CREAT | O_WRONLY, 0o600))
      #expect(try await go("--retry-failed", inputs: ["new", "bad", "b"]).status == .exited(0))
      #expect(try readLines(list).dropFirst(6).sorted() == ["bad"])
      #expect(try await go("--retry-failed", inputs: ["bad"]).status == .exited(0))
      #expect(try readLines(list).count == 7)
    }
  }

  @Test func damagedLogs() async throws {
    try await withFolder { (folder) async throws in
      let log = "\(folder)/log"
      #expect(try await apus("--log", log, "echo", ":::", "a").status == .exited(0))
      let whole = try readLines(log)
      #expect(whole.count == 2)
      // Cut off in the middle of a line: what was not written was not done.
      try write(whole[0] + "\n" + whole[1].dropLast(9), to: log)
      #expect(try await apus("--log", log, "--resume", "echo", ":::", "a").output == "a\n")
      #expect(try readLines(log).count == 2)
      try write(whole[0] + "\nnonsense\n" + whole[1] + "\n", to: log)
      let damaged = try await apus("--log", log, "--resume", "echo", ":::", "a")
      #expect(damaged.status == .exited(74))
      #expect(damaged.errors.contains("line 2"))
      let other = try await apus("--log", log, "--resume", "echo", "other", ":::", "a")
      #expect(other.errors.contains("another command"))
      try write("text\n", to: log)
      #expect(
        try await apus("--log", log, "--resume", "echo", ":::", "a").errors.contains("no log of apus run"))
      #expect(try readLines(log) == ["text"])
    }
  }

  @Test func aFullDisk() async throws {
    let run = try await apus("--log", "/dev/full", "echo", ":::", "a", "b")
    #expect(run.status == .exited(74))
    #expect(run.errors.contains("/dev/full"))
  }
}
