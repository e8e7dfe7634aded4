import CApus
import Glibc
import Testing

@testable import ApusCore

/// Workers that take the places of others while a pool is at work.
@Suite struct EngineStartTests {
  /// Starting one takes a millisecond, and whoever calls the pool meanwhile does not wait for it.
  @Test func aWorkerIsReplacedWithTheLockFree() async throws {
    let engine = try PoolEngine(
      EngineConfiguration(
        workers: 1, command: SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"])))
    defer { engine.shutDown(within: 0) }
    let before = engine.processIdentifiers
    try engine.lock.withLock {
      let worker = try #require(engine.workers[0])
      worker.wasReady = true
      worker.process.kill()
      while engine.workers[0] === worker {
        engine.checkDeath(worker)
        usleep(1000)
      }
      #expect(engine.workers[0] == nil && engine.starting == 1)
    }
    var after: [Int32] = []
    for _ in 0..<10_000 where after.isEmpty {
      after = engine.processIdentifiers
      usleep(1000)
    }
    #expect(after.count == 1 && after != before)
  }

  /// What is being started when the pool ends is ended too, and nobody waits for it in vain.
  @Test func aPoolThatEndsWhileAWorkerIsStarted() throws {
    for _ in 0..<20 {
      let engine = try PoolEngine(
        EngineConfiguration(
          workers: 2, command: SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"])))
      engine.lock.withLock {
        for case let worker? in engine.workers { worker.wasReady = true }
        for case let worker? in engine.workers { worker.process.kill() }
      }
      engine.shutDown(within: 0)
      #expect(engine.starting == 0 && engine.processIdentifiers.isEmpty)
    }
  }
}
