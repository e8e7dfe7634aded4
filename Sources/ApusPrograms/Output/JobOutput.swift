import ApusSystem

/// What one job prints, on its way to where it is shown.
final class JobOutput: @unchecked Sendable {
  // Sound: the reactor's thread alone uses it, also through the relays' observers.
  let output: Stream
  let errors: Stream

  init(_ mode: OutputMode, label: String) throws(ProcessError) {
    output = try Stream(.standardOutput, mode, label)
    errors = try Stream(.standardError, mode, label)
  }

  /// Shows what was kept, as much as is taken. Whether that was all.
  func print() -> Bool { output.print() && errors.print() }

  /// From now on it is shown as it comes.
  func showAtOnce() {
    output.isShownAtOnce = true
    errors.isShownAtOnce = true
  }

  /// Called when something can't be kept: once for each stream.
  var whenLost: (Int32) -> Void = { _ in } {
    didSet { (output.whenLost, errors.whenLost) = (whenLost, whenLost) }
  }

  /// Forgets what a try has printed that is made again.
  func clear() {
    output.kept?.clear()
    errors.kept?.clear()
  }

  final class Stream: LineReceiver, @unchecked Sendable {
    private let target: LineTarget
    private let mode: OutputMode
    fileprivate let kept: KeptOutput?
    private let prefix: LinePrefix?
    fileprivate var isShownAtOnce = false
    private var isCaughtUp = false
    private var loss: Int32 = 0
    fileprivate var whenLost: (Int32) -> Void = { _ in }

    init(_ target: LineTarget, _ mode: OutputMode, _ label: String) throws(ProcessError) {
      (self.target, self.mode) = (target, mode)
      kept = mode == .group ? try KeptOutput(memoryLimit: 64 << 10) : nil
      prefix = mode == .tag ? LinePrefix(label, target: target) : nil
    }

    func makeRelay(_ source: OwnedDescriptor) throws(ProcessError) -> LineRelay {
      switch mode {
      case .line, .raw: try LineRelay(source: source, target: target)
      case .tag: try LineRelay(source: source, target: nil, pace: target) { [self] in prefix?.write($0) }
      case .group:
        try LineRelay(source: source, target: nil, pace: self, holdsLines: false) { [self] in keep($0) }
      }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
      if isShownAtOnce, catchUp() { return target.write(bytes) }
      if loss != 0 { return }
      loss = kept?.write(bytes) ?? 0
      if loss != 0 { whenLost(loss) }
    }

    /// Whether nothing that was kept is still to be shown.
    private func catchUp() -> Bool {
      if !isCaughtUp { isCaughtUp = kept?.print(to: target) ?? true }
      return isCaughtUp
    }

    func print() -> Bool { kept?.print(to: target) ?? true }

    // What is kept is kept at once, whoever reads us.
    var isCongested: Bool { isShownAtOnce && target.isCongested }
    var isBroken: Bool { target.isBroken }
  }
}
