import ApusSystem

/// One of the two streams that a rank prints to, on its way to ours.
final class RankStream {
  let relay: LineRelay
  let target: LineTarget
  private let kept: KeptOutput?
  private let passesOnAtOnce: Bool
  private let endsLines: Bool
  private var printed = 0
  private var isPrinted = false
  /// Whether it is in the poll set.
  var isPolled = false

  init(
    rank: Int, of size: Int, source: OwnedDescriptor, target: LineTarget, mode: RankOptions.Output,
    holdsLines: Bool
  ) throws(ProcessError) {
    self.target = target
    passesOnAtOnce = mode == .plain || mode == .prefixed
    // The output of a rank that is alone is passed on byte for byte.
    endsLines = size > 1 || mode == .prefixed
    var kept: KeptOutput?
    switch mode {
    case .plain:
      relay = try LineRelay(source: source, target: target, holdsLines: holdsLines)
    case .prefixed:
      let prefix = RankPrefix(rank: rank, of: size, target: target)
      relay = try LineRelay(source: source, target: nil) { prefix.write($0) }
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

  /// Whether reading on would only fill our memory.
  var isCongested: Bool { passesOnAtOnce && target.isCongested }

  /// Whether nobody reads what we pass on. The rank is to learn that by SIGPIPE, as in a shell's pipeline.
  var isBroken: Bool { passesOnAtOnce && target.isBroken }

  /// The rank has ended: passes on what is in the pipe, and waits for no descendant that holds its other end.
  func finish() {
    guard isOpen else { return }
    _ = relay.drain()
    relay.finish(endsLine: endsLines)
  }

  /// Passes on what was kept of a rank that has ended. Whether that is all.
  func print() -> Bool {
    guard let kept, !isPrinted else { return true }
    isPrinted = kept.print(from: &printed, to: target)
    return isPrinted
  }
}
