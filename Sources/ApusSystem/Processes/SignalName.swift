import Glibc

/// The signals' names, in a table of our own: `strsignal` follows the user's language and is not safe among
/// threads, and `sigabbrev_np` is glibc's alone.
package enum SignalName {
  /// For example `11 (SIGSEGV: segmentation fault)`.
  package static func describe(_ signal: Int32) -> String {
    if let known = table[signal] { return "\(signal) (\(known))" }
    if signal >= 34 && signal <= 64 { return "\(signal) (SIGRTMIN+\(signal - 34))" }
    return "\(signal)"
  }

  private static let table: [Int32: String] = [
    SIGHUP: "SIGHUP: hang-up",
    SIGINT: "SIGINT: interrupt",
    SIGQUIT: "SIGQUIT: quit",
    SIGILL: "SIGILL: illegal instruction",
    SIGTRAP: "SIGTRAP: trap",
    SIGABRT: "SIGABRT: abort",
    SIGBUS: "SIGBUS: bus error",
    SIGFPE: "SIGFPE: arithmetic error",
    SIGKILL: "SIGKILL: killed",
    SIGUSR1: "SIGUSR1: user-defined signal 1",
    SIGSEGV: "SIGSEGV: segmentation fault",
    SIGUSR2: "SIGUSR2: user-defined signal 2",
    SIGPIPE: "SIGPIPE: broken pipe",
    SIGALRM: "SIGALRM: alarm clock",
    SIGTERM: "SIGTERM: terminated",
    SIGXCPU: "SIGXCPU: limit on processor time exceeded",
    SIGXFSZ: "SIGXFSZ: limit on file size exceeded",
    SIGVTALRM: "SIGVTALRM: virtual timer expired",
    SIGPROF: "SIGPROF: profiling timer expired",
    SIGSYS: "SIGSYS: bad system call",
    SIGSTOP: "SIGSTOP: stopped",
    SIGTSTP: "SIGTSTP: stopped at the terminal",
    SIGTTIN: "SIGTTIN: terminal input in the background",
    SIGTTOU: "SIGTTOU: terminal output in the background",
    SIGCONT: "SIGCONT: continued",
    SIGCHLD: "SIGCHLD: child status changed",
    SIGURG: "SIGURG: urgent data on a socket",
    SIGWINCH: "SIGWINCH: window changed",
    SIGPOLL: "SIGPOLL: input or output possible",
    SIGPWR: "SIGPWR: power failure",
  ]
}
