import Apus
import ApusEngine
import ApusSystem
import ApusWire
import CApus
import Glibc
import TestSupport
import Testing

/// Ends the process if it hangs.
func startWatchdog() throws {
  try NativeThread.start(name: "watchdog") {
    sleep(UInt32(hung))
    _exit(99)
  }
}

/// Ends the process of an exit test with a message, if something does not hold.
private func demand(_ holds: Bool, _ message: @autoclosure () -> String = "") {
  if holds { return }
  printError("demanded in vain: \(message())")
  _exit(1)
}

extension ProcessPoolTests {
  /// Workers whose word can't be trusted. In a process of its own, since it may be the parent that fails.
  @Suite struct SaboteurTests {
    /// The tasks that it had been given are lost with it, since it may have begun any of them; no other is.
    /// What lay overwritten in its rings and does not decode any more is its own task's error.
    @Test(arguments: ["ones", "zeros", "noise", "words", "headers", "positions"], [1, 10])
    func scribblingOverTheChannel(how: String, chunk: Int) async throws {
      let run = try await runScenario("sabotage", arguments: [how, "\(chunk)"])
      #expect(!run.timedOut && run.status == .exited(0), "\(run.errors)")
      let lines = run.output.split(separator: "\n")
      #expect(lines.first == "60" && lines.last == "works")
      let failed = lines.dropFirst().dropLast()
      let codes = failed.map { $0.split(separator: " ") }.map { $0[0] == "failed" ? $0.last! : "wrong" }
      let possible: Set = ["workerDied", "argumentNotDecodable", "resultNotDecodable"]
      #expect(possible.isSuperset(of: codes.map(String.init)), "\(run.output)")
    }

    @Test func aWorkerOfAnotherBuildIsRefused() async throws {
      await #expect(processExitsWith: .success) {
        try startWatchdog()
        var command = try ProgramCommand.ofThisProgram(as: APUS_WORKER_ARGUMENT, share: 1)
        command.path = ByteString(programFolder + "/PoolScenarios")
        var configuration = EngineConfiguration(workers: 2, command: command)
        configuration.startUpLimit = 20_000_000_000
        let engine = try PoolEngine(configuration)
        let job = EngineJob(try RemoteFunction(double).source.definition())
        engine.add(job)
        let numbers = [1, 2, 3]
        numbers.withUnsafeBytes { bytes in
          let buffer = ByteBuffer()
          buffer.append(contentsOf: bytes)
          let batch = InputBatch(raw: buffer.baseAddress, stride: 8, count: 3, owner: buffer)
          engine.give(batch, base: 0, to: job, isLast: true)
        }
        var inbox = EngineJob.Inbox()
        var problems = 0
        while problems < 3 {
          engine.wait(for: job)
          engine.collect(job, into: &inbox)
          for delivery in inbox.deliveries {
            guard case .unserved(.startUpFailed(_, let loss)) = delivery.content else {
              fatalError("\(delivery.content)")
            }
            demand(loss.corruption?.contains("different build") == true)
            problems += 1
          }
        }
        engine.remove(job)
        engine.shutDown(within: 0)
      }
    }

    /// A program that is no worker at all: its own words are in the error, after a bounded number of tries.
    @Test func aProgramThatIsNoWorkerIsReported() async throws {
      await #expect(processExitsWith: .success) {
        try startWatchdog()
        let command = SpawnRequest(
          path: "/bin/sh", arguments: ["sh", "-c", "echo no worker here >&2; exit 5"])
        let engine = try PoolEngine(EngineConfiguration(workers: 2, command: command))
        let job = EngineJob(try RemoteFunction(double).source.definition())
        engine.add(job)
        let buffer = ByteBuffer()
        buffer.append(1)
        engine.give(
          InputBatch(raw: buffer.baseAddress, stride: 8, count: 1, owner: buffer), base: 0, to: job,
          isLast: true)
        engine.wait(for: job)
        var inbox = EngineJob.Inbox()
        engine.collect(job, into: &inbox)
        guard case .unserved(.startUpFailed(let attempts, let loss))? = inbox.deliveries.first?.content else {
          fatalError("\(inbox.deliveries)")
        }
        demand(attempts >= 3 && loss.status == .exited(5))
        demand(loss.standardError == "no worker here\n")
        engine.remove(job)
        engine.shutDown(within: 0)
      }
    }
  }
}
