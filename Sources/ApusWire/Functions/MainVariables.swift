import ApusSystem
import CApus
import Glibc
import Synchronization

/// Warns of variables that a worker finds without their values.
///
/// Only `main` gives the variables at the top level of a `main.swift` their values, and a worker never runs
/// `main`. They are not captured, so nothing else can notice: `{ $0 * factor }` would silently multiply by 0.
package enum MainVariables {
  private static let isChecked = Atomic<Bool>(false)
  private static let isDue = Atomic<Bool>(false)

  /// Warns in a tenth of a second, or in `warnIfDue()`: until then the processors are for the workers that start.
  package static func warnSoon() {
    guard !isDue.exchange(true, ordering: .relaxed) else { return }
    let thread: Void? = try? NativeThread.start(name: "apus-check") {
      usleep(100_000)
      warnOnce()
    }
    if thread == nil { warnOnce() }
  }

  /// Warns now, if it was to be soon.
  package static func warnIfDue() {
    if isDue.load(ordering: .relaxed) { warnOnce() }
  }

  /// Once in the life of the program. Some tenths of a millisecond; nothing in a stripped program.
  package static func warnOnce() {
    guard !isChecked.exchange(true, ordering: .relaxed) else { return }
    let names = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { names in
      apus_main_variables(names.baseAddress!, names.count) > 0 ? String(cString: names.baseAddress!) : nil
    }
    guard let names else { return }
    StandardStreams.warn(
      """
      main.swift has variables at its top level (\(names)). Workers do not run main, so these are zero in the body of \
      a task. Move them into a type as `static let`, pass them with `with:`, or use @main.
      """)
  }
}
