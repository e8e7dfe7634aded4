import ApusSystem
import Glibc
import TestSupport
import Testing

/// What a run leaves to look at: summary, report, trace, results.
@Suite(.timeLimit(.minutes(10))) struct RunReportTests {
  @Test func aSummary() async throws {
    let run = try await apus("--summary", "sh", "-c", "exit {}", ":::", "0", "3", "0")
    #expect(run.errors.contains("3 tasks in "))
    #expect(run.errors.contains("2 succeeded, 1 failed"))
    #expect(run.errors.contains("slowest: "))
  }

  @Test func aReport() async throws {
    try await withFolder { (folder) async throws in
      let page = "\(folder)/report.html"
      try write("what was there", to: page)
      let run = try await apus(
        "--report", page, "sh", "-c", "echo said by {}; test {} != bad", ":::", "good", "bad", "</script>")
      // The third is no word for the shell.
      #expect(run.status == .exited(1))
      let text = try #require(readSmallFile(page))
      #expect(text.contains("\"succeeded\":1,\"failed\":2"))
      #expect(text.contains("said by bad"))
      #expect(text.contains("\\u003c/script>"))
      #expect(text.split(separator: "</script>", omittingEmptySubsequences: false).count == 2)
      #expect(filesLeft(in: folder) == ["report.html"])
    }
  }

  @Test func aTrace() async throws {
    try await withFolder { (folder) async throws in
      let trace = "\(folder)/trace.json"
      let run = try await apus("--trace", trace, "echo", ":::", "a \"b\"", "\\", "ü")
      #expect(run.status == .exited(0))
      let check = """
        import json
        events = [event for event in json.load(open('\(trace)')) if event['ph'] == 'X']
        assert sorted(event['name'] for event in events) == sorted(['a "b"', '\\\\', 'ü']), events
        assert all(event['dur'] >= 0 and event['args']['tasks'] == 1 for event in events)
        """
      let python = try await runProgram("/usr/bin/env", ["env", "python3", "-c", check])
      #expect(python.status == .exited(0), "\(python.errors)")
    }
  }

  /// Known before the first job, and not after hours of work.
  @Test(arguments: ["--report", "--trace"]) func whatCannotBeWritten(option: String) async throws {
    try await withFolder { (folder) async throws in
      for path in ["\(folder)/none/file", folder, "/dev/full"] {
        let run = try await apus(option, path, "touch", "\(folder)/started")
        #expect(run.status == .exited(74))
        #expect(run.errors.contains(path))
      }
      #expect(filesLeft(in: folder) == [])
    }
  }

  @Test func nothingIsLeftOfAReportThatIsNotWhole() async throws {
    try await withFolder { (folder) async throws in
      let run = try await apus(
        "--report", "\(folder)/report.html", "--trace", "\(folder)/trace.json", "--results",
        "\(folder)/results", "-j2", "sh", "-c", "echo some; test {} = b && kill -9 $PPID; sleep 100", ":::",
        "a", "b")
      #expect(run.status != .exited(0))
      #expect(filesLeft(in: folder) == ["results"])
      #expect(filesLeft(in: "\(folder)/results/1") == [])
    }
  }

  @Test(arguments: ["group", "line", "tag"]) func results(output: String) async throws {
    try await withFolder { (folder) async throws in
      let results = "\(folder)/results"
      let run = try await apus(
        "--results", results, "--retries", "1", "--retry-delay", "0", "--output", output, "sh", "-c",
        "echo out of {}; echo error >&2; test {} = a", ":::", "a", "b")
      #expect(run.status == .exited(1))
      #expect(try readLines("\(results)/1/stdout") == ["out of a"])
      // Of the last try.
      #expect(try readLines("\(results)/2/stdout") == ["out of b"])
      #expect(try readLines("\(results)/2/stderr") == ["error"])
      #expect(
        try #require(readSmallFile("\(results)/2/job.json")).contains("\"ok\":false,\"number\":2,\"try\":2"))
      // Those of another run are not mixed with these.
      let again = try await apus("--results", results, "echo", ":::", "c")
      #expect(again.status == .exited(74))
      #expect(again.errors.contains(results))
      #expect(try readLines("\(results)/1/stdout") == ["out of a"])
    }
  }

  private func filesLeft(in folder: String) -> [String] {
    names(in: folder).filter { $0 != "." && $0 != ".." }.sorted()
  }
}
