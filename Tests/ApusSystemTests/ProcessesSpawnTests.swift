import ApusSystem
import CApus
import Glibc
import TestSupport
import Testing

@Suite("Spawning")
struct ProcessesSpawnTests {
  @Test("a program gets its arguments, environment and working directory")
  func inputs() throws {
    var request = shell(#"echo "$0 $1 $A $B"; pwd; test -z "$HOME"; echo $?"#)
    request.arguments += ["zero", "one two"]
    request.environment = ["A=1", "B=ä=2", "PATH=/bin:/usr/bin"]
    request.workingDirectory = "/usr"
    #expect(try runToEnd(request).output == "zero one two 1 ä=2\n/usr\n0\n")
    #expect(SpawnRequest.ownEnvironment.contains { $0.hasPrefix("PATH=") })
  }

  @Test(
    "a program's end is told as it was",
    arguments: [
      ("exit 0", ExitStatus.exited(0)), ("exit 3", .exited(3)), ("exit 255", .exited(255)),
      ("kill -TERM $$", .signalled(SIGTERM, coreDumped: false)),
      ("kill -KILL $$", .signalled(SIGKILL, coreDumped: false)),
    ])
  func endings(script: String, status: ExitStatus) throws {
    #expect(try Spawner.spawn(shell(script)).wait() == status)
  }

  @Test("descriptors are mapped whatever their numbers: swaps, cycles, themselves, twice")
  func mapping() throws {
    let pipes = try (0..<3).map { _ in try OwnedDescriptor.pipe() }
    let names = pipes.map(\.writing.number)
    // Each script writes to a number which of the three pipes it should be.
    let script = (0..<3).map { "echo \($0) >&\(names[$0])" }.joined(separator: "; ")
    let cases: [(pairs: [Int], text: [String])] = [
      ([0, 1, 2], ["0\n", "1\n", "2\n"]),
      ([1, 0, 2], ["1\n", "0\n", "2\n"]),
      ([1, 2, 0], ["2\n", "0\n", "1\n"]),
      ([0, 0, 0], ["0\n1\n2\n", "", ""]),
    ]
    for (sources, expected) in cases {
      let pairs = (0..<3).map { (source: names[sources[$0]], target: names[$0]) }
      // dash takes one digit in >&, bash more.
      let digits = names.allSatisfy { $0 < 10 }
      var request = shell(script, pairs)
      if !digits { (request.path, request.arguments[0]) = ("/bin/bash", "bash") }
      #expect(try Spawner.spawn(request).wait() == .exited(0))
      for (pipe, text) in zip(pipes, expected) {
        try pipe.reading.setNonBlocking()
        #expect(readToEnd(pipe.reading) == text)
      }
    }
    withExtendedLifetime(pipes) {}
  }

  @Test("a child has no descriptors but those it was given")
  func closing() throws {
    // Open, and not close-on-exec.
    let strays = (0..<20).map { _ in OwnedDescriptor(dup(0)) }
    let high = OwnedDescriptor(fcntl(0, F_DUPFD, 300))
    let null = OwnedDescriptor(open("/dev/null", O_RDWR | O_CLOEXEC))
    // No shell: its own pipes come and go. `ls` itself opens the folder, under the first free number.
    var request = SpawnRequest(path: "/bin/ls", arguments: ["ls", "-1v", "/proc/self/fd"])
    request.descriptors = [(null.number, 0), (null.number, 2), (null.number, 7), (null.number, 40)]
    #expect(try runToEnd(request).output == "0\n1\n2\n3\n7\n40\n")
    withExtendedLifetime((strays, high, null)) {}
  }

  @Test("a child has no blocked and no caught signals, and no pending SIGPIPE trouble")
  func signals() async {
    await #expect(processExitsWith: .success) {
      signal(SIGPIPE, SIG_IGN)
      signal(SIGHUP, SIG_IGN)
      signal(SIGUSR1) { _ in }
      let text = try runToEnd(SpawnRequest(path: "/bin/cat", arguments: ["cat", "/proc/self/status"])).output
      func mask(_ name: String) -> UInt64? {
        text.split(separator: "\n").first { $0.hasPrefix(name) }
          .flatMap { UInt64($0.split(separator: "\t")[1], radix: 16) }
      }
      #expect(mask("SigBlk:") == 0)
      #expect(mask("SigCgt:") == 0)
      // What was ignored when the program was started stays so (nohup), but for SIGPIPE; what the program has set does
      // not count.
      for number in [SIGPIPE, SIGHUP, SIGUSR1] {
        let isIgnored = mask("SigIgn:")! & (1 << UInt64(number - 1)) != 0
        #expect(isIgnored == (number != SIGPIPE && apus_was_ignored_at_start(number)))
      }
    }
  }

  @Test("what cannot be started is an error that says why")
  func errors() throws {
    let folder = "/tmp/apus-spawn-\(getpid())"
    mkdir(folder, 0o755)
    defer { _ = (unlink(folder + "/text"), unlink(folder + "/binary"), rmdir(folder)) }
    for (name, mode) in [("text", mode_t(0o644)), ("binary", 0o755)] {
      let file = OwnedDescriptor(open("\(folder)/\(name)", O_CREAT | O_WRONLY, mode))
      #expect(write(file.number, "\u{1}\u{2}", 2) == 2)
    }
    func failure(_ path: String, in directory: String? = nil) -> ProcessError? {
      var request = SpawnRequest(path: path, arguments: [path])
      request.workingDirectory = directory
      return #expect(throws: ProcessError.self) { try Spawner.spawn(request) }
    }
    #expect(failure("/nowhere/program")?.code == .notFound)
    #expect(failure(folder + "/text")?.code == .notExecutable)
    #expect(failure(folder + "/binary")?.code == .notExecutable)
    #expect(failure(folder + "/binary")?.errno == ENOEXEC)
    #expect(failure(folder)?.code == .notExecutable)
    #expect(failure("/bin/sh", in: "/nowhere")?.doing.hasSuffix("working directory /nowhere") == true)
    #expect(failure("/bin/sh\0x")?.errno == EINVAL)
    #expect(failure("/nowhere/program")?.description.contains("/nowhere/program: No such file") == true)

    let bad = #expect(throws: ProcessError.self) { try Spawner.spawn(shell("true", [(9999, 3)])) }
    #expect(bad?.errno == EBADF)
    let negative = #expect(throws: ProcessError.self) { try Spawner.spawn(shell("true", [(0, -1)])) }
    #expect(negative?.errno == EBADF)
    let beyond = #expect(throws: ProcessError.self) { try Spawner.spawn(shell("true", [(0, 1 << 30)])) }
    #expect(beyond?.code == .noDescriptors)
  }

  @Test("a batch starts what it can")
  func batch() throws {
    let missing = SpawnRequest(path: "/nowhere", arguments: [])
    let results = Spawner.spawn([shell("exit 1"), missing, shell("exit 2")])
    #expect(try results[0].get().wait() == .exited(1))
    #expect(throws: ProcessError.self) { try results[1].get() }
    #expect(try results[2].get().wait() == .exited(2))
    #expect(Spawner.spawn([]).isEmpty)
  }

  @Test("no descriptors left is an error, and passes")
  func exhaustion() async {
    await #expect(processExitsWith: .success) {
      _ = try Spawner.spawn(shell("true")).wait()
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = 64
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      var fillers: [OwnedDescriptor] = []
      while case let number = dup(0), number >= 0 { fillers.append(OwnedDescriptor(number)) }
      #expect(throws: ProcessError(errno: EMFILE, doing: "starting /bin/sh")) {
        try Spawner.spawn(shell("true"))
      }
      #expect(throws: ProcessError(errno: EMFILE, doing: "making a pipe")) { try OwnedDescriptor.pipe() }
      fillers.removeAll()
      #expect(try Spawner.spawn(shell("true")).wait() == .exited(0))
    }
  }

  @Test("a thousand programs, from many threads, leave no descriptor and no zombie")
  func leaks() async {
    await #expect(processExitsWith: .success) {
      _ = try Spawner.spawn(shell("true")).wait()
      let before = openDescriptors()
      let statuses = await withTaskGroup { group in
        for _ in 0..<20 {
          group.addTask {
            let requests = Array(repeating: SpawnRequest(path: "/bin/true", arguments: ["true"]), count: 10)
            return (0..<5).flatMap { _ in Spawner.spawn(requests).map { try? $0.get().wait() } }
          }
        }
        return await group.reduce(into: []) { $0 += $1 }
      }
      #expect(statuses == Array(repeating: .exited(0), count: 1000))
      for _ in 0..<50 {
        _ = try? Spawner.spawn(SpawnRequest(path: "/nowhere", arguments: []))
      }
      #expect(openDescriptors() == before)
      #expect(waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD)
    }
  }
}
