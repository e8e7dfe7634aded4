import ApusSystem
import CApus
import Glibc

/// The signals by which a person ends or stops the command. They come to this process, or to its guardian, who passes them
/// on; a terminal, or a signal to the whole group, tells both.
final class RunSignals {
  static let ending: [Int32] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

  private let own: OwnedDescriptor?
  private let guardian: OwnedDescriptor?
  private var last: (signal: Int32, time: UInt64) = (0, 0)

  /// Forks; this is the copy, and what was becomes its guardian. Those that are ignored (`nohup`, a job in the background of a
  /// script) stay ignored.
  ///
  /// - Parameter readsTerminal: Whether the copy reads from the terminal, and so has to be in the foreground.
  init(readsTerminal: Bool) {
    var taken: UInt64 = 0
    for number in Self.ending + [SIGTSTP, SIGUSR1, SIGUSR2] {
      var action = sigaction()
      guard sigaction(number, nil, &action) == 0 else { continue }
      let isIgnored = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1  // SIG_IGN
      if !isIgnored { taken |= 1 << UInt64(number - 1) }
    }
    // Out of the foreground, with `stty tostop`, printing would stop us.
    signal(SIGTTOU, SIG_IGN)
    let commands = apus_guard(taken, !readsTerminal)
    guardian = commands >= 0 ? OwnedDescriptor(commands) : nil
    let signals = apus_signal_descriptor(taken)
    own = signals >= 0 ? OwnedDescriptor(signals) : nil
  }

  /// Calls `body` with each; with 0 when the guardian is gone.
  func watch(on reactor: Reactor, _ body: @escaping (Int32) -> Void) throws(ProcessError) {
    if let own {
      _ = try reactor.whenReadable(own.number) { [unowned self] in
        while true {
          let number = apus_next_signal(own.number)
          if number == 0 { break }
          tell(number, body)
        }
      }
    }
    guard let guardian else { return }
    var watch: Reactor.Watch?
    watch = try reactor.whenReadable(guardian.number) { [unowned self] in
      var bytes = [UInt8](repeating: 0, count: 64)
      let count = read(guardian.number, &bytes, bytes.count)
      if count == 0 {
        if let watch { reactor.stop(watch) }
        return body(0)
      }
      for byte in bytes.prefix(max(0, count)) { tell(Int32(byte), body) }
    }
  }

  /// The same signal by both ways is one.
  private func tell(_ number: Int32, _ body: (Int32) -> Void) {
    if number == SIGUSR1 || number == SIGUSR2 { return body(number) }
    let now = apus_now()
    if number == last.signal, now - last.time < 50_000_000 { return }
    body(number)
    // Afterwards: it may have stopped this process for as long as you like.
    last = (number, apus_now())
  }
}
