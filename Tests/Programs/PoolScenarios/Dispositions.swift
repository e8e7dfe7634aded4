import Apus
import Glibc

/// What workers do about signals whose disposition the program changes.
enum Dispositions {
  /// Which signals are ignored, or have a handler that is not Swift's.
  static func changed() -> [Int32] {
    [SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGTERM].filter { number in
      var action = sigaction()
      sigaction(number, nil, &action)
      return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 0
    }
  }

  /// Those of a worker that was started before the program changed them, and of one that was after.
  static func play() async throws {
    signal(SIGUSR1, SIG_IGN)
    signal(SIGINT) { _ in }
    try await withProcessPool(workers: 1) { pool in
      print(try await pool.run(0) { (_: Int) in changed() })
      signal(SIGUSR2, SIG_IGN)
      signal(SIGTERM, SIG_IGN)
      signal(SIGHUP, SIG_DFL)
      _ = try? await pool.run(1, doubleOrDie)
      print(try await pool.run(0) { (_: Int) in changed() })
    }
  }
}
