import CApus
import Synchronization

/// Where this process prints what its children do.
///
/// A fork has none of the threads that write what is kept, and another thread may have held a lock when it was made. So it
/// makes these anew: what was kept is its parent's, who writes it.
package final class StandardStreams: Sendable {
  fileprivate let output = LineTarget(1)
  fileprivate let errors = LineTarget(2)
  private let forks = apus_fork_count()
  private let settler = Settler()

  /// Whether all that children printed is written.
  package static var isSettled: Bool { withCurrent { $0.isSettled } }

  /// Waits until it is; only for a moment if nobody reads it.
  package static func settle() { withCurrent { $0.settle() } }

  private var isSettled: Bool { output.isSettled && errors.isSettled }

  private func settle() {
    output.settle()
    errors.settle()
  }

  /// As `settle`, for callers on threads that must not block.
  package static func settled() async {
    let streams = current()
    await streams.settler.settled { streams.settle() }
  }

  // MARK: Those of this process

  /// An address, or 0. They are kept for ever: a thread may be using them, and in a fork those of its parent are locked.
  private static let shared = Atomic<UInt>(0)

  private static func reference(_ address: UInt) -> Unmanaged<StandardStreams>? {
    UnsafeRawPointer(bitPattern: address).map { Unmanaged.fromOpaque($0) }
  }

  /// Costs no reference count: callers with a task in hand ask each time.
  @inline(__always)
  fileprivate static func withCurrent<Result>(_ body: (StandardStreams) -> Result) -> Result {
    if let known = reference(shared.load(ordering: .acquiring)) {
      let result: Result? = known._withUnsafeGuaranteedRef {
        $0.forks == apus_fork_count() ? body($0) : nil
      }
      if let result { return result }
    }
    return body(current())
  }

  private static func current() -> StandardStreams {
    apus_fork_watch()
    while true {
      let before = shared.load(ordering: .acquiring)
      if let known = reference(before)?.takeUnretainedValue(), known.forks == apus_fork_count() {
        return known
      }
      let made = Unmanaged.passRetained(StandardStreams())
      let (isOurs, _) = shared.compareExchange(
        expected: before, desired: UInt(bitPattern: made.toOpaque()), ordering: .acquiringAndReleasing)
      if isOurs { return made.takeUnretainedValue() }
      made.release()  // another thread was first
    }
  }
}

extension StandardStreams {
  /// Something that a person should know, on standard error.
  package static func warn(_ text: String) {
    var line = "apus: warning: \(text)\n"
    line.withUTF8 { LineTarget.standardError.write(UnsafeRawBufferPointer($0)) }
  }
}

extension LineTarget {
  package static var standardOutput: LineTarget { StandardStreams.withCurrent { $0.output } }
  package static var standardError: LineTarget { StandardStreams.withCurrent { $0.errors } }
}
