@testable import ApusEngine
@testable import ApusSystem
import CApus
import Glibc
import Testing

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
        let all = engine.workers.compactMap { $0 }
        for worker in all { worker.wasReady = true }
        for worker in all { worker.process.kill() }
        for worker in all {
          while engine.workers[worker.slot] === worker {
            engine.checkDeath(worker)
            usleep(100)
          }
        }
        #expect(engine.starting == 2)
      }
      engine.shutDown(within: 0)
      #expect(engine.starting == 0 && engine.processIdentifiers.isEmpty)
    }
  }

  /// What is being started when the pool's descriptors are lost is ended too, now or when it is there.
  @Test func aPoolThatLosesItsDescriptorsWhileAWorkerIsStarted() async throws {
    let notice = try Bell()
    let output = try OutputRoute(.discarded, label: nil, workers: 1)
    let starter = WorkerStarter(doorbell: try Bell(), notice: notice, output: output) { slot in
      (slot, SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"]))
    }
    starter.start(0)
    var ready = pollfd(fd: notice.descriptor.number, events: Int16(POLLIN), revents: 0)
    #expect(poll(&ready, 1, 60_000) == 1)
    let child = try #require(try starter.state.withLock { $0.started }.first?.result.get())
    starter.end(abandoning: true)
    #expect(child.process.status != nil && starter.take().isEmpty)
  }

  /// A start that fails after the pool was given up is not tried again.
  @Test func aPoolThatWasGivenUpStartsNothing() async throws {
    let engine = try PoolEngine(
      EngineConfiguration(
        workers: 1, command: SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "1000"])))
    defer { engine.shutDown(within: 0) }
    engine.lock.withLock {
      engine.breakDown(
        .startUpFailed(attempts: 1, WorkerLoss(process: 0, status: .exited(1), standardError: "")))
      engine.starting = 1
      engine.adopt([(0, .failure(ProcessError(errno: EAGAIN, doing: "start a worker")))], now: apus_now())
      #expect(engine.starting == 0 && engine.vacancies.isEmpty)
    }
  }
}
