import ApusSystem
public import Testing

/// For tests that block, or compute for long: they run beside the threads of Swift's concurrency.
///
/// Of those there are as many as processors, and all other tests need them: that the process of an exit test has ended is
/// seen by a task. A test that held them all up would let others exceed their time limits.
public struct Blocks: TestTrait, SuiteTrait, TestScoping {
  /// For all tests of a suite.
  public var isRecursive: Bool { true }

  /// Runs a test on threads that only such tests have.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(BlockingThreads.shared) { try await function() }
  }
}

extension Trait where Self == Blocks {
  /// This test blocks, or computes for long.
  public static var blocks: Self { Self() }
}

/// As many threads as Swift's concurrency has, but at least two: one may wait for what the other does.
private final class BlockingThreads: TaskExecutor {
  static let shared = BlockingThreads()
  private let jobs = Locked<[UnownedJob]>([])
  private let arrivals = NativeSemaphore()

  private init() {
    for _ in 0..<max(2, Processors.ofProgram) {
      try! NativeThread.start(name: "blocking test") { [self] in
        while true {
          arrivals.wait()
          jobs.withLock { $0.removeFirst() }.runSynchronously(on: asUnownedTaskExecutor())
        }
      }
    }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    arrivals.signal()
  }
}
