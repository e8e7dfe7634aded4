import ApusSystem
import Glibc
import Testing

extension ProcessPoolTests {
  /// Programs in odd surroundings, each a child of its own.
  @Suite struct SurroundingsTests {
    private func expectError(_ run: ProgramRun, _ words: [String]) {
      #expect(!run.timedOut)
      #expect(run.status == .exited(0))
      for word in words { #expect(run.output.contains(word), "\(run.output) \(run.errors)") }
    }

    @Test func noDescriptorsAreLeft() async throws {
      let run = try await runScenario("no descriptors")
      expectError(run, ["noResources", "Too many open files", "again [2, 4]"])
    }

    /// Some workers can be had, not all: their tasks are done.
    @Test func fewDescriptorsAreLeft() async throws {
      let run = try await runScenario("few descriptors")
      #expect(!run.timedOut)
      #expect(run.output == "sum 4950\n", "\(run.errors)")
    }

    @Test func sharedMemoryIsFull() async throws {
      let run = try await runScenario("no shared memory")
      expectError(run, ["noResources", "shared memory", "again [2, 4]"])
    }

    @Test func startedThroughTheLoader() async throws {
      let loader = "/lib64/ld-linux-x86-64.so.2"
      try #require(access(loader, X_OK) == 0)
      let run = try await runProgram(loader, [loader, programFolder + "/PoolScenarios", "start"])
      expectError(run, ["startUpFailed", "loader"])
    }

    @Test(.enabled(if: access("/usr/bin/valgrind", X_OK) == 0 && access("/usr/bin/strip", X_OK) == 0))
    func startedUnderValgrind() async throws {
      // Without debug information, of which valgrind does not understand the newest kind.
      let folder = TemporaryFolder()
      let copy = folder.path + "/program"
      let stripped = try await runProgram(
        "/usr/bin/strip", ["strip", "-g", "-o", copy, programFolder + "/PoolScenarios"])
      #expect(stripped.status == .exited(0))
      let valgrind = "/usr/bin/valgrind"
      let run = try await runProgram(
        valgrind, [valgrind, "--quiet", "--tool=none", copy, "start"])
      expectError(run, ["startUpFailed", "valgrind"])
    }

    @Test(arguments: ["deleted", "replaced"])
    func theProgramsFileIsGone(how: String) async throws {
      let folder = TemporaryFolder()
      let copy = folder.path + "/program"
      let copied = try await runProgram("/bin/cp", ["cp", programFolder + "/PoolScenarios", copy])
      #expect(copied.status == .exited(0))
      let run = try await runProgram(copy, [copy, how])
      #expect(run.output == "[2, 4] [nil, 4]\n", "\(run.errors)")
    }

    @Test func theEnvironmentIsCleared() async throws {
      let run = try await runScenario("cleared environment")
      #expect(run.output == "[2, 4] [nil, 4]\n", "\(run.errors)")
    }

    /// All workers work in the same folder, whenever they were started: the one in which the pool was made. Also if it
    /// was renamed, or is gone.
    @Test(arguments: ["left", "renamed", "removed"])
    func theFolderIsChanged(how: String) async throws {
      let folder = TemporaryFolder()
      let run = try await runScenario("folder", arguments: [folder.path, how])
      #expect(!run.timedOut && run.status == .exited(0))
      #expect(run.output == "before true true, after true true\n", "\(run.output) \(run.errors)")
    }

    /// The kernel reaps children by itself then. That they ended is known; how, to newer kernels (6.15).
    @Test func childSignalsAreIgnored() async throws {
      let run = try await runScenario("ignored SIGCHLD")
      #expect(!run.timedOut)
      let statuses = ["unknown exit status", "exit code 1"]
      #expect(statuses.map { "[2, 4] [nil, 4]\n\($0)\n" }.contains(run.output), "\(run)")
    }

    /// A program that reaps any child takes the statuses away.
    @Test func theProgramReapsEveryChild() async throws {
      let run = try await runScenario("waitpid")
      #expect(!run.timedOut)
      #expect(run.output == "[2, 4] [nil, 4]\n", "\(run.errors)")
    }

    /// Not in a release build either, where the linker drops what tells a global variable from one of main.swift.
    @Test func aProgramWithAMainTypeIsNotWarned() async throws {
      let run = try await runScenario("rounds")
      #expect(run.status == .exited(0) && !run.errors.contains("warning"), "\(run.errors)")
    }

    /// A worker is no worker for the programs that it starts.
    @Test func whatAWorkerStartsIsNoWorker() async throws {
      let run = try await runScenario("worker's child")
      #expect(!run.timedOut)
      #expect(run.output == "nil\n")
    }

    /// Waiting costs no processor time, whatever is waited for.
    @Test(arguments: ["map", "window", "inputs", "first", "idle", "handle", "blocking", "fork"])
    func waitingIsFree(what: String) async throws {
      let run = try await runScenario("processor time", arguments: [what])
      #expect(!run.timedOut)
      // Of one second; what is measured is the time of the process itself.
      let spent = try #require(Int(run.output.filter { $0.isNumber }))
      #expect(spent < 200, "\(spent) ms")
    }
  }
}
