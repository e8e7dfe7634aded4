import Apus
import Glibc
import PoolStressSaboteur

/// The rows of the table: how something fails.
enum Failure: Int32, Codable, Sendable, CaseIterable {
  case `throw`, trap, exit, segv, kill, stop, loop

  init(named name: String) {
    guard let failure = Failure.allCases.first(where: { "\($0)" == name }) else {
      preconditionFailure("there is no failure '\(name)'")
    }
    self = failure
  }

  struct Sabotage: Error, Codable { let text: String }

  /// Fails, here and now.
  func commit() throws {
    switch self {
    case .throw: throw Sabotage(text: "sabotaged")
    case .trap: fatalError("sabotaged")
    default: stress_commit(rawValue)
    }
  }

  /// Whether only a time limit ends it.
  var hangs: Bool { self == .stop || self == .loop }

  /// Whether it ends the worker by itself.
  var isDeadly: Bool { self != .throw && !hangs }

  /// Whether `status` is how a process ends by it.
  func explains(_ status: ExitStatus?) -> Bool {
    switch (self, status) {
    // ud2 on x86-64, brk on arm64.
    case (.trap, .signalled(let signal, _)?): signal == SIGILL || signal == SIGTRAP
    case (.exit, .exited(let code)?): code == Int32(stress_exit_status)
    case (.segv, .signalled(let signal, _)?): signal == SIGSEGV
    case (.kill, .signalled(let signal, _)?), (.stop, .signalled(let signal, _)?),
      (.loop, .signalled(let signal, _)?):
      signal == SIGKILL
    default: false
    }
  }

  /// Whether `error` is what the guilty task should fail with, if `thrown` is the code for an error that was
  /// thrown at that moment.
  func explains(_ error: TaskError, thrown: TaskError.Code) -> Bool {
    switch self {
    case .throw: error.code == thrown
    case .stop, .loop: error.code == .timeLimitExceeded && explains(error.status)
    default: error.code == .workerDied && explains(error.status)
    }
  }
}
