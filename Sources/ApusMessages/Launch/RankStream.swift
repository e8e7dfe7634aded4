import ApusSystem

/// One of the two streams that a rank prints to, on its way to ours.
final class RankStream {
  let relay: LineRelay
  /// Under which the relay is polled.
  let tag: UInt64
  let endsLines: Bool
  private let target: LineTarget
  private let kept: KeptOutput?
  private var isPrinted = false

  init(
    rank: Int, of size: Int, source: OwnedDescriptor, target: LineTarget, mode: RankOptions.Output,
    holdsLines: Bool, tag: UInt64
  ) throws(ProcessError) {
    (self.target, self.tag) = (target, tag)
    // The output of a rank that is alone is passed on to the byte.
    endsLines = size > 1 || mode == .prefixed
    var kept: KeptOutput?
    switch mode {
    case .plain:
      relay = try LineRelay(source: source, target: target, holdsLines: holdsLines)
    case .prefixed:
      let prefix = LinePrefix(rank, width: String(size - 1).utf8.count, target: target)
      relay = try LineRelay(source: source, target: nil, pace: target) { prefix.write($0) }
    case .grouped:
      let file = try KeptOutput()
      kept = file
      relay = try LineRelay(source: source, target: nil) {
        let loss = file.write($0)
        if loss != 0 { target.noteLoss(loss) }
      }
    case .discarded:
      relay = try LineRelay(source: source, target: nil)
    }
    self.kept = kept
  }

  var isOpen: Bool { relay.descriptor >= 0 }

  /// Passes on what was kept of a rank that has ended. Whether that is all.
  func print() -> Bool {
    guard let kept, !isPrinted else { return true }
    isPrinted = kept.print(to: target)
    return isPrinted
  }
}
