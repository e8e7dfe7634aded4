import Apus
import ApusCore
import Glibc
import Testing

/// What a worker that has run wild does to the memory that it shares with its parent.
private enum Sabotage: Int, Codable, CaseIterable {
  case ones, zeros, noise, words, headers, positions

  func happen(_ start: UnsafeMutableRawPointer, _ size: Int) {
    let head = 4096
    var generator = SystemRandomNumberGenerator()
    switch self {
    case .ones: memset(start, 0xff, size)
    case .zeros: memset(start, 0, size)
    case .noise:
      for at in stride(from: 0, to: size, by: 8) {
        start.storeBytes(of: generator.next(), toByteOffset: at, as: UInt64.self)
      }
    case .words:
      for at in stride(from: 0, to: head, by: 8) { start.storeBytes(of: 1 << 40, toByteOffset: at, as: UInt64.self) }
    case .headers: memset(start + head, 0xee, size - head)
    case .positions:
      for line in 1..<8 { start.storeBytes(of: .max - 64, toByteOffset: line * 128, as: UInt64.self) }
    }
  }
}

/// Finds its channel by the kernel's list of mappings, as a stray pointer might.
private func sabotage(_ how: Sabotage) {
  guard let maps = fopen("/proc/self/maps", "re") else { return }
  var line = [CChar](repeating: 0, count: 1024)
  while fgets(&line, 1024, maps) != nil {
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard text.contains("apus-channel") else { continue }
    let ends = text.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
    how.happen(UnsafeMutableRawPointer(bitPattern: ends[0])!, Int(ends[1] - ends[0]))
  }
  fclose(maps)
}

/// Ends the process if it hangs.
func startWatchdog(seconds: UInt32) throws {
  try NativeThread.start(name: "watchdog") {
    sleep(seconds)
    _exit(99)
  }
}

extension ProcessPoolTests {
  /// Workers whose word can't be trusted. In a process of its own, since it may be the parent that fails.
  @Suite struct SaboteurTests {
    @Test func scribblingOverTheChannelCostsNobodyElseATask() async throws {
      await #expect(processExitsWith: .success) {
        try startWatchdog(seconds: 50)
        for how in Sabotage.allCases {
          try await withProcessPool(workers: 2) { (pool) async throws in
            let outcomes = await pool.outcomes(of: 0..<60, with: how, chunking: .fixed(1)) { (how, n: Int) -> String in
              if n == 33 { sabotage(how) }
              return "\(n)"
            }
            precondition(outcomes.count == 60)
            for (index, outcome) in outcomes.enumerated() {
              if case .failure(let error) = outcome {
                // The worker may have had the next task as well.
                precondition(error.code == .workerDied && index >= 32, "\(how) \(index): \(error)")
              } else {
                precondition(try! outcome.get() == "\(index)", "\(how) \(index)")
              }
            }
            let values = try await pool.map(0..<1000, double)
            precondition(values == (0..<1000).map { 2 * $0 })
          }
        }
      }
    }

    @Test func aWorkerOfAnotherBuildIsRefused() async throws {
      await #expect(processExitsWith: .success) {
        try startWatchdog(seconds: 30)
        var command = try WorkerCommand.ofThisProgram(share: 1)
        command.path = programFolder + "/PoolScenarios"
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
          await engine.wait(suspendingFor: job)
          engine.collect(job, into: &inbox)
          for delivery in inbox.deliveries {
            guard case .unserved(.startUpFailed(_, let loss)) = delivery.content else {
              preconditionFailure("\(delivery.content)")
            }
            precondition(loss.corruption?.contains("different build") == true)
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
        try startWatchdog(seconds: 30)
        let command = SpawnRequest(path: "/bin/sh", arguments: ["sh", "-c", "echo no worker here >&2; exit 5"])
        let engine = try PoolEngine(EngineConfiguration(workers: 2, command: command))
        let job = EngineJob(try RemoteFunction(double).source.definition())
        engine.add(job)
        let buffer = ByteBuffer()
        buffer.append(1)
        engine.give(InputBatch(raw: buffer.baseAddress, stride: 8, count: 1, owner: buffer), base: 0, to: job, isLast: true)
        await engine.wait(suspendingFor: job)
        var inbox = EngineJob.Inbox()
        engine.collect(job, into: &inbox)
        guard case .unserved(.startUpFailed(let attempts, let loss))? = inbox.deliveries.first?.content else {
          preconditionFailure("\(inbox.deliveries)")
        }
        precondition(attempts >= 3 && loss.status == .exited(5))
        precondition(loss.standardError == "no worker here\n")
        engine.remove(job)
        engine.shutDown(within: 0)
      }
    }
  }
}
