/// How a process ended.
public enum ExitStatus: Sendable, Hashable, Codable {
  /// It called `exit`, or returned from `main`, with this code.
  case exited(Int32)
  /// A signal ended it.
  case signalled(Int32, coreDumped: Bool)
  /// It has ended, and another part of this program took the status from the kernel first, with a `wait` for
  /// any child, or with SIGCHLD ignored. From Linux 6.15 on the kernel still tells it then.
  case unknown

  /// Whether it exited with the code 0.
  public var isSuccess: Bool { self == .exited(0) }
}

extension ExitStatus: CustomStringConvertible {
  /// For example `exit code 3` or `signal 11 (SIGSEGV: segmentation fault)`.
  public var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .signalled(let signal, let coreDumped):
      "signal \(SignalName.describe(signal))" + (coreDumped ? ", core dumped" : "")
    case .unknown: "unknown exit status"
    }
  }
}
