import Glibc
import Synchronization

/// What a scenario has found: lines of standard output that the script reads.
package final class Findings: Sendable {
  private let violations = Mutex(0)

  package init() {}

  /// Something that must not be.
  package func violation(_ text: String) {
    let count = violations.withLock { count in
      count += 1
      return count
    }
    // A bug repeats itself a thousandfold; the first few say it all.
    if count <= 4 { tell("VIOLATION \(text.replacingLines())") }
  }

  package func check(_ holds: Bool, _ text: @autoclosure () -> String) {
    if !holds { violation(text()) }
  }

  /// A sound task that hit its limit: maybe only the machine was slow.
  package func slow(_ text: String) { tell("SLOW \(text.replacingLines())") }

  /// What was to be shown did not come about this time, by chance.
  package func missed(_ text: String) { tell("MISSED \(text.replacingLines())") }

  package func figure(_ name: String, _ value: some CustomStringConvertible) {
    tell("FIGURE \(name)=\(value)")
  }

  package var isClean: Bool { violations.withLock { $0 == 0 } }

  /// Ends the program: `_exit`, since a thread may be at an endless loop on purpose.
  package func end() -> Never {
    tell("END")
    _exit(isClean ? 0 : 1)
  }
}

/// Prints a line, past any buffer: it must be there even if the program is killed next.
package func tell(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = write(1, bytes, bytes.count)
}

extension String {
  fileprivate func replacingLines() -> String { split(separator: "\n").joined(separator: " / ") }
}
