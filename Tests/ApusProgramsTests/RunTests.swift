import ApusSystem
import Glibc
import TestSupport
import Testing

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

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

  // MARK: Logs

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

  // MARK: Signals

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
  func signals(number: Int32) async throws {
    let live = try LiveLaunch(
      [
        "-j2", "--output", "line", "sh", "-c", "sh -c 'sleep 1000 & wait' & sleep 1000 & echo ready; wait",
        "sh", ":::", "1", "2", "3",
      ],
      command: "run")
    #expect(await eventually { live.output.split(separator: "\n").count == 2 })
    live.signal(number)
    #expect(await live.status() == .signalled(number, coreDumped: false))
    #expect(await live.mark.left() == [])
  }

  @Test func controlC() async throws {
    let live = try LiveLaunch(
      [
        "--output", "line", "--grace-period", "100", "sh", "-c", "echo ready; sleep 1000", "sh", ":::", "1",
        "2",
      ],
      command: "run", input: .terminal)
    // Besides them there is the bar.
    #expect(await eventually { live.output.ranges(of: "ready").count == 2 })
    live.type("\u{3}")
    #expect(await live.status() == .signalled(SIGINT, coreDumped: false))
    #expect(await live.prints("ended by signal 2 (SIGINT: interrupt)"))
    #expect(await live.mark.left() == [])
  }

  /// Stopped and continued, as by ^Z and `fg`; the signal comes to the command and to its guardian.
  @Test func stoppedAndContinued() async throws {
    let live = try LiveLaunch(
      ["--output", "line", "sh", "-c", "echo ready; sleep 1; echo done"], command: "run")
    #expect(await live.prints("ready"))
    for _ in 0..<3 {
      kill(-live.child.pid, SIGTSTP)
      #expect(await eventually { live.mark.processes.allSatisfy { state(of: $0) == "T" } })
      kill(-live.child.pid, SIGCONT)
      #expect(await eventually { live.mark.processes.allSatisfy { state(of: $0) != "T" } })
      try await Task.sleep(for: .milliseconds(100))
      #expect(live.mark.processes.allSatisfy { state(of: $0) != "T" })
    }
    #expect(await live.prints("done"))
    #expect(await live.status() == .exited(0))
  }

  /// Those that do not hear SIGTERM are killed: at a second signal, or when their grace is over.
  @Test(arguments: [true, false])
  func stubbornJobs(isForced: Bool) async throws {
    let live = try LiveLaunch(
      [
        "--output", "line", "--grace-period", isForced ? "100" : "0.1", "sh", "-c",
        "trap '' TERM; echo ready; sleep 1000; sleep 1000",
      ],
      command: "run")
    #expect(await live.prints("ready"))
    live.signal(SIGTERM)
    if isForced {
      try await Task.sleep(for: .milliseconds(200))
      #expect(live.child.reap() == nil)
      live.signal(SIGTERM)
    }
    #expect(await live.status() == .signalled(SIGTERM, coreDumped: false))
    #expect(await live.mark.left() == [])
  }

  /// The runner is killed, and its guardian ends what it has left.
  @Test func theRunnerIsKilled() async throws {
    let live = try LiveLaunch(
      ["--output", "line", "sh", "-c", "setsid sleep 1000 & echo ready; wait"], command: "run")
    #expect(await live.prints("ready"))
    let runner = live.mark.processes.first { parent(of: $0) == live.child.pid }
    kill(try #require(runner), SIGKILL)
    #expect(await live.status() == .signalled(SIGKILL, coreDumped: false))
    #expect(await live.mark.left() == [])
  }

  @Test func aSlowReaderLosesNothing() async throws {
    let script = "head -c 300000 /dev/zero; echo"
    for words in ["", "-k", "--output line"] {
      let run = try await runProgram(
        "/bin/sh",
        [
          "sh", "-c",
          "'\(programFolder)/apus' run \(words) -- sh -c '\(script)' x ::: 1 2 | (sleep 0.5; wc -c)",
        ])
      #expect(run.output == "600002\n")
      #expect(run.errors == "")
    }
  }

  /// As binary output has to be.
  @Test func nothingIsAddedToAGroup() async throws {
    #expect(try await apus("-k", "printf", ":::", "a", "b").output == "ab")
  }

  /// Children that the process had before it became this command are not its jobs.
  @Test func strangersAreSpared() async throws {
    let script =
      "sleep 1000 & '\(programFolder)/apus' run -- sh -c 'setsid sleep 1000 & sleep 0.1'; kill %1 && echo spared"
    #expect(try await runProgram("/bin/bash", ["bash", "-c", script]).output == "spared\n")
    let replaced = try await runProgram(
      "/bin/bash",
      ["bash", "-c", "sleep 1000 & echo $!; exec '\(programFolder)/apus' run -- true 2>&1 >/dev/null"])
    let process = try #require(replaced.output.split(separator: "\n").first.flatMap { Int32($0) })
    #expect(kill(process, SIGKILL) == 0)
  }

  @Test func nobodyReads() async throws {
    let run = try await runProgram(
      "/bin/sh", ["sh", "-c", "'\(programFolder)/apus' run -j1 --output line yes ::: a b c | head -n 1"])
    #expect(run.output == "a\n")
  }
}

// MARK: Support

struct RunResult {
  var run: TestSupport.ProgramRun
  /// The processes that are left of it.
  var left: [Int32]

  var output: String { run.output }
  var errors: String { run.errors }
  var status: ExitStatus { run.status }
  /// The lines, sorted: those of different jobs come in any order.
  var lines: [String] { run.output.split(separator: "\n").map(String.init).sorted() }
}

func apus(_ arguments: String..., input: String = "") async throws -> RunResult {
  try await apus(arguments: arguments, input: input)
}

func apus(arguments: [String], input: String = "") async throws -> RunResult {
  let mark = Mark()
  let program = programFolder + "/apus"
  let run = try await runProgram(
    program, [program, "run"] + arguments, environment: [mark.entry], input: input)
  #expect(!run.timedOut, "\(run.errors)")
  return RunResult(run: run, left: await mark.left())
}

func withFolder(_ body: (String) async throws -> Void) async throws {
  let path = "/tmp/apus-run-\(UInt64.random(in: 0 ... .max))"
  mkdir(path, 0o700)
  defer { _ = system("rm -rf \(path)") }
  try await body(path)
}

func readLines(_ path: String) throws -> [String] {
  let text = try #require(readSmallFile(path))
  return text.split(separator: "\n").map(String.init)
}

func write(_ text: String, to path: String) throws {
  let file = try #require(fopen(path, "w"))
  fputs(text, file)
  fclose(file)
}

func parent(of process: Int32) -> Int32? {
  guard let text = readSmallFile("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
    return nil
  }
  return text[text.index(after: end)...].split(separator: " ").dropFirst().first.flatMap { Int32($0) }
}
