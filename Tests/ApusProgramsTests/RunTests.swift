import ApusSystem
import Glibc
import TestSupport
import Testing

/// The command `apus run`, seen from outside. The limit is for ever.
@Suite(.timeLimit(.minutes(10))) struct RunTests {
  @Test func eachInput() async throws {
    let run = try await apus("--", "echo", "<{}>", ":::", "a b", "c'd", "")
    #expect(run.lines == ["<>", "<a b>", "<c'd>"])
    #expect(run.status == .exited(0))
    #expect(run.errors == "")
  }

  @Test func inputsOfStandardInput() async throws {
    #expect(try await apus("echo", "<{}>", input: "a\nb c\n").lines == ["<a>", "<b c>"])
    #expect(
      try await apus("-0", "echo", input: "a\0b\nc\0").output.split(separator: "\n").sorted() == [
        "a", "b", "c",
      ])
    #expect(try await apus("--stdin", "echo", input: "a\n").lines == ["a"])
  }

  /// A command with no place for inputs, and none named, is run once, with our standard input.
  @Test func once() async throws {
    let run = try await apus("cat", input: "text\n")
    #expect(run.output == "text\n")
    #expect(try await apus("sh", "-c", "exit 3").status == .exited(3))
    #expect(try await apus("sh", "-c", "kill -9 $$").status == .exited(137))
    #expect(try await apus("/no/program").status == .exited(127))
    #expect(try await apus("/etc").status == .exited(126))
    #expect(try await apus("--timeout", "0.1", "sleep", "100").status == .exited(124))
  }

  @Test func order() async throws {
    let script = "sleep 0.$1; echo $1; echo $1 >&2"
    let run = try await apus("-k", "-j4", "--", "sh", "-c", script, "sh", "{}", ":::", "4", "1", "3", "2")
    #expect(run.output == "4\n1\n3\n2\n")
    #expect(run.errors == "4\n1\n3\n2\n")
    #expect(try await apus("-j4", "sh", "-c", script, "sh", "{}", ":::", "6", "1").output == "1\n6\n")
  }

  @Test func aGroupIsNotMixed() async throws {
    let script = "for i in 1 2 3 4 5; do echo $1; sleep 0.01; done"
    let run = try await apus("-j8", "sh", "-c", script, "sh", "{}", ":::", "a", "b", "c", "d")
    let lines = run.output.split(separator: "\n")
    #expect(lines.count == 20)
    for start in stride(from: 0, to: 20, by: 5) { #expect(Set(lines[start..<(start + 5)]).count == 1) }
  }

  @Test func tags() async throws {
    let run = try await apus("--copies", "3", "sh", "-c", "printf 'one\ntwo'; echo three >&2", "sh")
    #expect(run.lines == ["[1] one", "[1] two", "[2] one", "[2] two", "[3] one", "[3] two"])
    #expect(run.errors.split(separator: "\n").sorted() == ["[1] three", "[2] three", "[3] three"])
  }

  @Test func tagsInOrder() async throws {
    let run = try await apus(
      "-k", "-j3", "--output", "tag", "sh", "-c", "sleep 0.$1; echo $1", "sh", "{}", ":::", "4", "1", "2")
    #expect(run.output == "[4] 4\n[1] 1\n[2] 2\n")
    #expect(
      try await apus("--output", "tag", "echo", "x", ":::", "a\u{1b}[31m\nb").output.hasPrefix("[a?[31m?b] "))
  }

  @Test func failures() async throws {
    let run = try await apus("--", "sh", "-c", "exit {}", ":::", "0", "3", "0")
    #expect(run.status == .exited(1))
    #expect(run.errors.contains("job 2 (3): ended with exit code 3"))
    #expect(run.errors.contains("1 of 3 jobs failed"))
  }

  @Test func retries() async throws {
    try await withFolder { (folder) async throws in
      let script = "echo x >> \(folder)/$1; test $(wc -l < \(folder)/$1) -ge $1 && echo done $1"
      let run = try await apus(
        "--retries", "2", "--retry-delay", "0.01", "sh", "-c", script, "sh", "{}", ":::", "1", "2", "3", "4")
      #expect(run.lines == ["done 1", "done 2", "done 3"])
      #expect(run.status == .exited(1))
      #expect(run.errors.contains("job 2 (2): ended with exit code 1; try 1 of 3"))
      #expect(run.errors.contains("job 4 (4): ended with exit code 1, after 3 tries"))
    }
  }

  @Test func halts() async throws {
    let soon = try await apus(
      "-j1", "--halt", "fail=1", "sh", "-c", "echo {}; exit {}", ":::", "0", "1", "0", "0")
    #expect(soon.output == "0\n1\n")
    #expect(soon.status == .exited(1))
    let now = try await apus("-j2", "--halt", "now,success=1", "sleep", "{}", ":::", "1000", "0")
    #expect(now.status == .exited(0))
    #expect(now.errors.contains("given up because of --halt: 1 were ended"))
    // Those that wait in order for what is not run any more are shown all the same.
    let script = "sleep $1; echo $1; exit $2"
    let ordered = try await apus(
      "-k", "-j2", "--halt", "now,fail=1", "sh", "-c", script, "sh", "{1}", "{2}", ":::", "100", "0", "0.2",
      ":::+", "0",
      "0", "1")
    #expect(ordered.output == "0\n0.2\n")
    let waiting = try await apus(
      "-k", "-j2", "--halt", "now,success=1", "--retries", "1", "--retry-delay", "1000", "sh", "-c", script,
      "sh", "{1}",
      "{2}", ":::", "0", "0.2", ":::+", "1", "0")
    #expect(waiting.output == "0.2\n")
    #expect(waiting.status == .exited(0))
  }

  @Test func dryRun() async throws {
    let run = try await apus("--dry-run", "rm", "-rf", "{}", "{.}", ":::", "a b.c", "d")
    #expect(run.output == "rm -rf 'a b.c' 'a b'\nrm -rf d d\n")
    try await withFolder { (folder) async throws in
      let log = "\(folder)/log"
      #expect(try await apus("--log", log, "sh", "-c", "exit {}", ":::", "0", "1").status == .exited(1))
      let again = try await apus(
        "--dry-run", "--retry-failed", "--log", log, "sh", "-c", "exit {}", ":::", "0", "1")
      #expect(again.output == "sh -c 'exit 1'\n")
    }
  }

  @Test func progress() async throws {
    let plain = try await apus("--progress", "plain", "-j1", "sh", "-c", "exit {}", ":::", "0", "1", "0")
    #expect(plain.errors.contains("apus: 3 of 3 are over (100 %), 1 failed, 0 running"))
    let json = try await apus("--progress", "json", "-j1", "true", ":::", "a", "b")
    let last = try #require(json.errors.split(separator: "\n").last)
    #expect(
      last.hasPrefix("{\"seconds\":") && last.contains("\"done\":2,\"failed\":0")
        && last.contains("\"total\":2"))
    // Where nobody looks, a short run says nothing.
    #expect(try await apus("true", ":::", "a").errors == "")
  }

  @Test func aBarOnATerminal() async throws {
    let live = try LiveLaunch(
      ["-j1", "sh", "-c", "sleep 0.3; echo line {}; exit {}", ":::", "0", "1", "0"], command: "run",
      input: .terminal)
    #expect(await live.status() == .exited(1))
    #expect(await live.prints("1 of 3 jobs failed"))
    let text = live.output
    #expect(text.contains("0%  0/3") && text.contains("33%  1/3") && text.contains("66%  2/3"))
    // It is taken away before a line, and at the end.
    #expect(text.contains("\r\u{1b}[Kline 0"))
    let end = try #require(text.ranges(of: "\r\u{1b}[K").last)
    #expect(!text[end.upperBound...].contains("%"))
  }

  @Test func verbose() async throws {
    #expect(try await apus("-v", "echo", ":::", "a b").errors == "echo 'a b'\n")
  }

  @Test func variables() async throws {
    let run = try await apus("-k", "-j1", "sh", "-c", "echo $APUS_JOB $APUS_SLOT", "sh", ":::", "a", "b")
    #expect(run.output == "1 1\n2 1\n")
  }

  @Test func shell() async throws {
    let run = try await apus("--shell", "echo {} | tr a-z A-Z", ":::", "it's", "$HOME")
    #expect(run.lines == ["$HOME", "IT'S"])
    // Between quotes, those of the input would close them, and the rest be run.
    let quoted = try await apus("--shell", "echo \"{}\"", ":::", "$(id)")
    #expect(quoted.status == .exited(64))
    #expect(quoted.errors.contains("without quotes"))
    #expect(try await apus("--shell", "echo", "{}", ":::", "a").status == .exited(64))
  }

  @Test func aTableAndItsNames() async throws {
    let table = "name,mail\n\"A, B\",x@y\nC,z\n"
    let run = try await apus("-k", "--csv", "echo", "{mail}: {name}", input: table)
    #expect(run.output == "x@y: A, B\nz: C\n")
    let wrong = try await apus("--csv", "echo", "{nmae}", input: table)
    #expect(wrong.status == .exited(64))
    #expect(wrong.errors.contains("no column is named 'nmae': there are name, mail"))
    // As spreadsheets write them: a byte order mark, names of any text, empty lines.
    let odd = "\u{feff}first name,z.1\r\na,b\r\n\r\nc,d\r\n"
    #expect(try await apus("-k", "--csv", "echo", "{z.1}{first name}", input: odd).output == "ba\ndc\n")
    #expect(try await apus("-k", "--csv", "echo", input: odd).output == "a b\nc d\n")
  }

  @Test func combinations() async throws {
    #expect(
      try await apus("-k", "echo", "{2}{1}", ":::", "a", "b", ":::", "1", "2").output == "1a\n2a\n1b\n2b\n")
    #expect(try await apus("-k", "echo", "{2}{1}", ":::", "a", "b", ":::+", "1", "2").output == "1a\n2b\n")
    #expect(try await apus("echo", ":::", "a", "b", ":::+", "1").status == .exited(64))
  }

  @Test func manyArguments() async throws {
    #expect(
      try await apus("-k", "-n", "3", "echo", "x", ":::", "1", "2", "3", "4").output == "x 1 2 3\nx 4\n")
    #expect(try await apus("-k", "-n2", "echo", input: "1\n2\n\n3\n").output == "1 2\n3\n")
    #expect(
      try await apus("-k", "-n2", "echo", ":::", "a", "b", ":::", "1", "2").output == "a 1 a 2\nb 1 b 2\n")
    // One that names a single column would leave out the others.
    #expect(try await apus("-n2", "echo", "{1}", ":::", "1", "2", "3").status == .exited(64))
  }

  /// What a job leaves in the background counts as the job.
  @Test func background() async throws {
    let script = "(sleep 0.2; echo late) & echo early"
    let waits = try await apus("--output", "group", "sh", "-c", script)
    #expect(waits.output == "early\nlate\n")
    let ends = try await apus(
      "--output", "group", "--background", "end", "sh", "-c", "sleep 1000 & echo early")
    #expect(ends.output == "early\n")
    #expect(ends.left == [])
  }

  @Test func nothingIsLeft() async throws {
    let run = try await apus(
      "--timeout", "0.3", "sh", "-c", "setsid sleep 1000 & sleep 1000 & wait", "sh", ":::", "1", "2")
    #expect(run.status == .exited(1))
    #expect(run.left == [])
  }

  // MARK: Mistakes

  @Test(arguments: [
    [], [":::", "a"], ["--bogus", "echo"], ["-j", "0", "echo"], ["-j", "x", "echo"],
    ["--timeout", "-1", "echo"],
    ["--timeout", "nan", "echo"], ["--halt", "fail", "echo"], ["--resume", "echo"],
    ["--copies", "0", "echo"],
    ["-n", "0", "echo"], ["--memory-free", "lots", "echo"], ["echo", "{2}", ":::", "a"],
    ["--output", "pretty", "echo"],
    ["--copies", "2", "echo", ":::", "a"], ["--copies", "2", "{}"],
    ["echo", "{-9223372036854775808}", ":::", "a"],
    ["--memory-free", "1000000000T", "echo"], ["-j", "-1", "echo"], ["-j", "+1", "echo"], ["-P4", "echo"],
    ["-k", "--output", "line", "echo", ":::", "a"],
  ])
  func usage(words: [String]) async throws {
    let run = try await apus(arguments: words)
    #expect(run.status == .exited(64), "\(words): \(run.errors)")
    #expect(run.output == "")
  }

  @Test func inputsThatCannotBeRead() async throws {
    let run = try await apus("-a", "/no/file", "echo")
    #expect(run.status == .exited(74))
    #expect(run.errors.contains("/no/file can't be read"))
    #expect(try await apus("-a", "/", "echo").status == .exited(74))
  }

  /// Said once, and nothing is run.
  @Test func aProgramThatIsNotThere() async throws {
    let run = try await apus("no-such-program", ":::", "1", "2")
    #expect(run.status == .exited(127))
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(run.errors.contains("no program named no-such-program"))
    #expect(try await apus("echo {} | wc", ":::", "1").errors.contains("--shell"))
    // Where it depends on the input, it is the job's failure.
    let each = try await apus("-k", "{}", ":::", "no-such-program", "true")
    #expect(each.status == .exited(1))
    #expect(each.errors.contains("1 of 2 jobs failed"))
  }

  @Test func aClosedInputIsNotEmpty() async throws {
    let run = try await runProgram("/bin/sh", ["sh", "-c", "'\(programFolder)/apus' run echo {} <&-"])
    #expect(run.status == .exited(74))
    let output = try await runProgram("/bin/sh", ["sh", "-c", "'\(programFolder)/apus' run echo ::: a >&-"])
    #expect(output.status == .exited(74))
  }

  /// Fills memory, and says whether anybody runs beside it.
  private static let glutton = """
    import os, sys, time
    file = f'{sys.argv[1]}/{os.getpid() if sys.argv[2] == "small" else "big"}'
    open(file, 'w')
    if sys.argv[2] == 'big':
        data = bytearray(150 << 20)
        for at in range(0, len(data), 4096): data[at] = 1
    time.sleep(0.3)
    print(sys.argv[2], len(os.listdir(sys.argv[1])))
    os.unlink(file)
    """

  @Test func aMemoryLimit() async throws {
    try await withFolder { (folder) async throws in
      let run = try await apus(
        "-j2", "--memory-limit", "100M", "python3", "-c", Self.glutton, folder, "{}", ":::", "big", "small",
        "small")
      #expect(run.status == .exited(1))
      #expect(run.errors.contains("job 1 (big): exceeded its memory limit"))
      #expect(run.lines.count == 2)
    }
  }

  @Test func whatNeedsMoreIsTriedAlone() async throws {
    try await withFolder { (folder) async throws in
      let run = try await apus(
        "-j2", "-k", "--memory-limit", "100M", "--retry-alone", "python3", "-c", Self.glutton, folder, "{}",
        ":::",
        "big", "small", "small", "small")
      #expect(run.status == .exited(0), "\(run.errors)")
      #expect(run.output.split(separator: "\n").first == "big 1")
      #expect(run.lines.count == 4)
      #expect(try await apus("--retry-alone", "echo").status == .exited(64))
    }
  }
}
