import Synchronization

/// A line at the bottom of the terminal that changes: it is taken away before anything else is printed there.
package enum StatusLine {
  private static let isUsed = Atomic<Bool>(false)
  private static let isShown = Locked(false)

  /// Shows it in place of the last one.
  package static func show(_ text: String) {
    isUsed.store(true, ordering: .relaxed)
    isShown.withLock { isShown in
      isShown = true
      LineTarget.standardError.writeAsItIs("\r\u{1b}[K" + text)
    }
  }

  package static func hide() {
    isShown.withLock { isShown in
      if isShown { LineTarget.standardError.writeAsItIs("\r\u{1b}[K") }
      isShown = false
    }
    isUsed.store(false, ordering: .relaxed)
  }

  /// Calls `body`, which prints on the terminal, with what is to be printed before: nothing comes between.
  static func aside(_ body: (_ before: StaticString) -> Void) {
    guard isUsed.load(ordering: .relaxed) else { return body("") }
    isShown.withLock { isShown in
      body(isShown ? "\r\u{1b}[K" : "")
      isShown = false
    }
  }
}
