public import ApusSystem
import CApus
import Glibc

/// Shows on standard error how far work is: a bar on a terminal, lines elsewhere.
///
/// ```swift
/// let display = ProgressDisplay(total: files.count)
/// defer { display.finish() }
/// ```
///
/// It listens to an event stream, and has a thread that draws ten times a second at most.
public final class ProgressDisplay: Sendable {
  /// How it is shown.
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    /// A bar on a terminal, and plain lines elsewhere, the first after half a minute.
    case auto
    /// One line that changes, at the bottom of the terminal.
    case bar
    /// A line now and then: with each twentieth of the work, and every half minute.
    case plain
    /// An object of JSON each second.
    case json
    /// Not at all.
    case none
  }

  private let mode: Mode
  private let isQuietAtFirst: Bool
  private let tally: Locked<ProgressTally>
  private let subscription: EventStream.Subscription?
  private let stop = NativeSemaphore()
  private let hasStopped = NativeSemaphore()

  /// Begins to listen, and to show.
  ///
  /// - Parameters:
  ///   - mode: How it is shown.
  ///   - events: Whose events are counted.
  ///   - total: How many tasks there will be; nil: as many as events tell of.
  public init(_ mode: Mode = .auto, of events: EventStream = .shared, total: Int? = nil) {
    isQuietAtFirst = mode == .auto
    self.mode = mode == .auto ? Terminal.canShowBar ? .bar : .plain : mode
    let tally = Locked(ProgressTally(total: total))
    self.tally = tally
    guard self.mode != .none else {
      subscription = nil
      return
    }
    subscription = events.subscribe { event in tally.withLock { $0.note(event) } }
    // Without a thread nothing is shown, and the work goes on.
    do { try NativeThread.start(name: "apus-progress") { [self] in serve() } } catch { hasStopped.signal() }
  }

  /// Ends it: the last state is shown, and the bar is gone. Once.
  public func finish() {
    guard mode != .none else { return }
    subscription?.cancel()
    stop.signal()
    hasStopped.wait()
  }

  private func serve() {
    switch mode {
    case .bar: drawBar()
    case .plain: printLines()
    case .json: printObjects()
    case .auto, .none: break
    }
    hasStopped.signal()
  }

  private func drawBar() {
    let isColoured = Terminal.isColoured
    repeat {
      let columns = Terminal.columns
      let text = tally.withLock {
        ProgressLine.bar(&$0, columns: columns, isColoured: isColoured, now: apus_now())
      }
      StatusLine.show(text)
    } while !stop.wait(milliseconds: 100)
    StatusLine.hide()
  }

  private func printLines() {
    var (shown, at) = (0, apus_now())
    var hasPrinted = false
    while !stop.wait(milliseconds: 1000) {
      let now = apus_now()
      let (done, total) = tally.withLock { ($0.done, $0.knownTotal) }
      let isTwentieth = !isQuietAtFirst && (total.map { $0 > 0 && 20 * (done - shown) >= $0 } ?? false)
      guard isTwentieth || now - at >= 30_000_000_000 else { continue }
      (shown, at, hasPrinted) = (done, now, true)
      printLine(tally.withLock { "apus: " + ProgressLine.plain(&$0, now: now) })
    }
    if hasPrinted || !isQuietAtFirst {
      printLine(tally.withLock { "apus: " + ProgressLine.plain(&$0, now: apus_now()) })
    }
  }

  private func printObjects() {
    repeat {
      printLine(tally.withLock { ProgressLine.json(&$0, now: apus_now()) })
    } while !stop.wait(milliseconds: 1000)
    printLine(tally.withLock { ProgressLine.json(&$0, now: apus_now()) })
  }

  private func printLine(_ text: String) {
    Array("\(text)\n".utf8).withUnsafeBytes { LineTarget.standardError.write($0) }
  }
}
