import ApusSystem
import Synchronization

/// A function as a pool's engine sees it: a number, and bytes that tell a worker what it is.
package final class FunctionDefinition: Sendable {
  /// Unique in this process, for as long as it can run: 64 bits.
  package let id: UInt64
  /// What the worker's program makes a runner from.
  package let bytes: ByteBuffer
  /// Whether `bytes` hold a context value, so that a worker should not keep many of them.
  package let carriesContext: Bool
  /// Whether it is a value for all tasks of a pool: workers keep it for as long as anybody holds it.
  package let isShared: Bool
  /// The strides of inputs and outputs that travel as plain memory; nil if either does not.
  package let strides: (input: Int, output: Int)?

  /// Whether an argument is an array of plain memory.
  package let takesRawArray: Bool

  package init(
    bytes: ByteBuffer, carriesContext: Bool, strides: (input: Int, output: Int)?, takesRawArray: Bool = false,
    isShared: Bool = false
  ) {
    (self.takesRawArray, self.isShared) = (takesRawArray, isShared)
    id = Self.numbers.add(1, ordering: .relaxed).newValue
    (self.bytes, self.carriesContext, self.strides) = (bytes, carriesContext, strides)
    watchers = isShared || carriesContext && bytes.count > Self.small ? Locked([]) : nil
  }

  deinit { watchers?.withLock { for watcher in $0 { watcher.notice?.post() } } }

  /// Has `notice` posted once nobody can call the function any more, if it is a large one or a shared value.
  package func whenUnused(_ notice: UnusedNotice) {
    watchers?.withLock { watchers in
      if watchers.contains(where: { $0.notice === notice }) { return }
      watchers.removeAll { $0.notice == nil }  // of pools that are gone
      watchers.append(Watcher(notice: notice))
    }
  }

  private struct Watcher: Sendable { weak let notice: UnusedNotice? }
  /// Nil for a small one: of those a worker keeps the last few.
  private let watchers: Locked<[Watcher]>?
  private static let small = 64 << 10

  private static let numbers = Atomic<UInt64>(0)

  /// As if `count` more functions had been made, for tests of a program that runs for long.
  package static func skipNumbers(_ count: UInt64) { numbers.add(count, ordering: .relaxed) }
}
