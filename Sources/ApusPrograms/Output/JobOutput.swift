import ApusSystem

/// What one job prints, on its way to where it is shown.
final class JobOutput: @unchecked Sendable {
  // Sound: the reactor's thread alone uses it, also through the relays' observers.
  let output: Stream
  let errors: Stream
  /// - Parameters:
  ///   - isOrdered: Whether it is kept until its turn, if the mode keeps nothing.
  ///   - results: Files that get it as well.
  init(_ mode: OutputMode, label: String, isOrdered: Bool, results: JobResults?) throws(ProcessError) {
    output = try Stream(.standardOutput, mode, label, isOrdered, results?.output)
    errors = try Stream(.standardError, mode, label, isOrdered, results?.errors)
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
    output.clear()
    errors.clear()
  }

  final class Stream: LineReceiver, @unchecked Sendable {
    private let target: LineTarget
    private let mode: OutputMode
    fileprivate let kept: KeptOutput?
    private let prefix: LinePrefix?
    fileprivate var isShownAtOnce = false
    private let copy: WholeFile?
    private var isCaughtUp = false
    private var loss: Int32 = 0
    fileprivate var whenLost: (Int32) -> Void = { _ in }

    init(
      _ target: LineTarget, _ mode: OutputMode, _ label: String, _ isOrdered: Bool, _ copy: WholeFile?
    ) throws(ProcessError) {
      (self.target, self.mode, self.copy) = (target, mode, copy)
      kept = mode == .group || isOrdered ? try KeptOutput(memoryLimit: 16 << 10) : nil
      prefix = mode == .tag ? LinePrefix(label, target: target) : nil
    }

    func makeRelay(_ source: OwnedDescriptor) throws(ProcessError) -> LineRelay {
      switch mode {
      case .line, .raw: try LineRelay(source: source, target: target, observer: saver)
      case .group:
        try LineRelay(source: source, target: nil, pace: self, holdsLines: false) { [self] in
          save($0)
          keep($0)
        }
      case .tag:
        try LineRelay(source: source, target: nil, pace: self) { [self] in
          save($0)
          let lines = prefix!.prefixed($0)
          lines.withUnsafeBytes { keep($0) }
        }
      }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
      if kept == nil || isShownAtOnce && catchUp() { return target.write(bytes) }
      if loss != 0 { return }
      loss = kept?.write(bytes) ?? 0
      if loss != 0 { whenLost(loss) }
    }

    private var saver: (@Sendable (UnsafeRawBufferPointer) -> Void)? {
      if copy == nil { return nil }
      return { [self] bytes in save(bytes) }
    }

    private func save(_ bytes: UnsafeRawBufferPointer) {
      guard let copy, loss == 0 else { return }
      do throws(FileError) { try copy.write(bytes) } catch {
        loss = error.errno
        whenLost(loss)
      }
    }

    /// Whether nothing that was kept is still to be shown.
    private func catchUp() -> Bool {
      if !isCaughtUp { isCaughtUp = kept?.print(to: target) ?? true }
      return isCaughtUp
    }

    func clear() {
      kept?.clear()
      copy?.clear()
      (loss, isCaughtUp) = (0, false)
    }

    func print() -> Bool { kept?.print(to: target) ?? true }

    // What is kept is kept at once, whoever reads us.
    var isCongested: Bool { (kept == nil || isShownAtOnce) && target.isCongested }
    var isBroken: Bool { target.isBroken }
  }
}
