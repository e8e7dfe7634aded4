import ApusSystem
import ApusMessages
import Glibc

/// The signals by which a person ends or stops the command: taken by a thread of their own, and passed on.
struct EndingSignals: Sendable {
  private let taken: [Int32]

  /// Blocks them in this thread, the only one there is, and so in all that come. Those that are ignored (`nohup`, a
  /// job in the background of a script) stay ignored.
  init() {
    let wanted = RankSupervisor.endingSignals + [SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2]
    taken = wanted.filter { number in
      var action = sigaction()
      guard sigaction(number, nil, &action) == 0 else { return false }
      return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 1  // SIG_IGN
    }
    var set = Self.set(taken)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Starts to pass them on.
  func pass(to supervisor: RankSupervisor) throws {
    let taken = taken
    try NativeThread.start(name: "apus-signals") {
      var set = Self.set(taken)
      while true {
        var number: Int32 = 0
        guard sigwait(&set, &number) == 0 else { continue }
        supervisor.forward(number)
        if number == SIGTSTP {
          Self.suffer(SIGTSTP)
          // Stopped and continued by now, or not stopped at all, where there is no shell that could continue us.
          supervisor.forward(SIGCONT)
        }
      }
    }
  }

  /// Ends this process by the signal, as whoever started it expects.
  static func die(of signal: Int32) -> Never {
    // The ranks may have left core dumps; ours would tell nothing.
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    suffer(signal)
    _exit(128 + signal)
  }

  /// Lets the signal do to this process what it does by default.
  private static func suffer(_ number: Int32) {
    signal(number, SIG_DFL)
    var set = set([number])
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    raise(number)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  private static func set(_ numbers: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in numbers { sigaddset(&set, number) }
    return set
  }
}
