// A program for tests: `PoolScenarios NAME [ARGUMENT…]` plays one scenario and prints what a user would see.
import Apus
@preconcurrency import Glibc  // for `stdout`, a variable to C

/// A variable of the whole program beside @main: nothing to warn of, in whatever build.
nonisolated(unsafe) var doublings = 0

func double(_ x: Int) -> Int {
  doublings += 1
  return x * 2
}

/// Doubles, but for 1, which ends the worker.
func doubleOrDie(_ x: Int) -> Int {
  if x == 1 { exit(1) }
  return 2 * x
}

/// Prints to standard error, with no buffer in between.
func printError(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  _ = write(2, bytes, bytes.count)
}

@main
enum PoolScenarios {
  static let all: [String: @Sendable ([String]) async throws -> Void] = [
    "width": { _ in print(Processors.available, try ProcessPool().workerCount) },
    "output": { try await Output.results(kind: $0[0]) },
    "errors": { _ in try await Output.errors() },
    "prefixed output": { arguments in try await Output.prefixed(named: arguments.first) },
    "discarded output": { _ in try await Output.discarded() },
    "input": { _ in try await Output.input() },
    "unread output": { _ in try await Output.unread() },
    "unread output of many": { _ in try await Output.unreadByMany() },
    "fork with kept output": { _ in try Output.keptInAFork() },
    "closed output": { _ in try await Output.closed() },
    "no descriptors": { _ in try await Limits.noDescriptors() },
    "few descriptors": { _ in try await Limits.fewDescriptors() },
    "no shared memory": { _ in try await Limits.noSharedMemory() },
    "start": { _ in try await Surroundings.start() },
    "deleted": { _ in try await Surroundings.deleted() },
    "replaced": { _ in try await Surroundings.replaced() },
    "cleared environment": { _ in try await Surroundings.clearedEnvironment() },
    "folder": { try await Surroundings.folder($0[0], how: $0[1]) },
    "ignored SIGCHLD": { _ in try await Surroundings.ignoredChildSignals() },
    "waitpid": { _ in try await Surroundings.reapingEverything() },
    "stopped parent": { _ in try await Surroundings.stopped() },
    "worker's child": { _ in try await Surroundings.childOfAWorker() },
    "surrounded": { _ in try await Surrounded.play() },
    "address space": { try await Surrounded.addressSpace(Int($0[0])!) },
    "closing body": { try await Descriptors.body(Int32($0[0])!) },
    "closing parent": { try await Descriptors.parent($0[0]) },
    "forking body": { try await Forks.body($0[0]) },
    "forked parent": { _ in try Forks.parent() },
    "forked handle": { _ in try Forks.cancelled() },
    "forked handler": { _ in try Forks.handler() },
    "forked output": { _ in try Forks.output() },
    "sent signal": { _ in try await SlowBacktrace.sent() },
    "trapping context": { _ in try await TrappingContext.play() },
    "sabotage": { try await Sabotage.play($0[0], chunk: Int($0[1])!) },
    "rounds": { _ in try await Rounds.play() },
    "failing maps": { _ in try await FailingMaps.play() },
    "range": { _ in try await RangeMemory.play() },
    "identity": { _ in try await Identity.play() },
    "dispositions": { _ in try await Dispositions.play() },
    "slow backtrace": { try await SlowBacktrace.play(isAsync: $0[0] == "async") },
    "clock set back": { _ in try await Output.clockSetBack() },
    "filled pipe": { _ in try await Output.filledPipe() },
    "processor time": { try await ProcessorTime.play($0[0]) },
  ]

  static func main() async throws {
    setvbuf(stdout, nil, _IOLBF, 0)
    // Without /proc Swift finds no arguments.
    let words = getenv("APUS_TEST_SCENARIO").map { ["", String(cString: $0)] } ?? CommandLine.arguments
    guard words.count > 1, let scenario = all[words[1]] else {
      print("scenarios:", all.keys.sorted().joined(separator: ", "))
      exit(2)
    }
    try await scenario(Array(words.dropFirst(2)))
  }
}
