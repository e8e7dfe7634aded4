import ApusSystem
import CApus
import Synchronization

/// What a worker with a memory limit keeps between tasks.
///
/// A task that leaks would have the next one pay for it. So a worker that has kept more than half of what its limit leaves
/// it ends in good order before it begins another task, and another worker takes its place. What it held before its first
/// task is its own: libraries, or what its start hook has made.
final class MemoryWatch {
  private static let interval: UInt64 = 1_000_000  // ns
  private let channel: Channel
  private var base: UInt64?
  private var last: UInt64 = 0
  /// Elements that are run without a look in between.
  private var run: UInt64 = 1
  private var runBegun: UInt64 = 0
  private static let longestRun: UInt64 = 16

  init(_ channel: Channel) { self.channel = channel }

  /// How many of this worker's processes the kernel has ended, if it has a group of its own; and how many there were.
  private lazy var kills = MemoryGroup.killsOfOwnGroup()
  private var killsBefore = 0
  private var elementBegun: UInt64 = 0
  /// So long an element takes at least for which the kernel ends a process. No shorter one is worth a look.
  private static let shortestBreach: UInt64 = 5_000_000  // ns

  private var limit: UInt64 { channel.memoryLimit.pointee.load(ordering: .relaxed) }

  /// Whether it is worth a look.
  var isDue: Bool { limit != 0 && apus_now() &- last >= Self.interval }

  /// The same before a run of elements. Returns how many it may have at most: few enough that they take no longer than from
  /// one look to the next, as far as the last run tells.
  func checkBeforeRun(_ count: UInt64, isGrouped: Bool) throws -> UInt64 {
    guard limit != 0 else { return count }
    let now = apus_now()
    // Of several nobody could say whose process was ended.
    if isGrouped {
      if isDue { try check() }
      beginElement()
      return 1
    }
    run = now &- runBegun > Self.interval / 2 ? 1 : min(2 * run, Self.longestRun)
    if isDue { try check() }
    runBegun = apus_now()
    return run
  }

  /// What the next `hasBreached` is about.
  func beginElement() { elementBegun = apus_now() }

  /// Whether the kernel has ended a process since the element was begun. Asked before what it returns is handed back: it is
  /// not to count then, and nobody else can tell in time.
  func hasBreached() -> Bool {
    guard limit != 0, apus_now() &- elementBegun >= Self.shortestBreach, let kills else { return false }
    let now = kills()
    defer { killsBefore = now }
    return now > killsBefore
  }

  /// Throws `WorkerIsFull` if it has kept too much. Between tasks.
  func check() throws {
    let limit = limit
    guard limit != 0, isDue else { return }
    let held = ProcessMemory.own
    last = apus_now()
    guard let base else { return self.base = held }
    guard held > base, held > limit / 2 + base / 2 else { return }
    channel.isFull.pointee.store(1, ordering: .releasing)
    throw WorkerIsFull()
  }
}

/// The worker ends in good order.
struct WorkerIsFull: Error {}
