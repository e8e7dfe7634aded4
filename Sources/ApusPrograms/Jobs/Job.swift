package import ApusSystem
import Glibc

/// One command of a run, with all its tries.
package final class Job {
  /// From 1, in the order of the inputs.
  package let number: Int
  package let row: InputRow
  /// By which a log knows it.
  let identity: JobIdentity
  /// How many tries have begun.
  package internal(set) var tries = 0
  var output: JobOutput?
  /// Where what it prints is kept as well.
  var results: JobResults?
  /// Whether it runs when no other does, since it needs more memory than it may have beside others.
  var runsAlone = false

  init(_ number: Int, _ row: InputRow, _ identity: JobIdentity) {
    (self.number, self.row, self.identity) = (number, row, identity)
  }

  /// What it is called in messages: its input, as far as one wants to read it, or its number.
  package var label: String {
    if row.fields.isEmpty { return String(number) }
    var label = ""
    for field in row.fields {
      if !label.isEmpty { label += " " }
      label += String(decoding: field.bytes.prefix(Self.longestLabel), as: UTF8.self)
      if label.utf8.count > Self.longestLabel { return String(label.prefix(Self.longestLabel)) + "…" }
    }
    return label
  }

  private static let longestLabel = 100
}

/// How a try of a job ended.
package struct JobEnding: Sendable {
  package var status: ExitStatus?
  /// Why it could not be started.
  package var problem: StartFailure?
  package var reason: SupervisedProgram.Reason?
  /// By the monotonic clock, in nanoseconds.
  package var (started, ended): (UInt64, UInt64) = (0, 0)
  package var usage: ProcessUsage?
  package var slot = 0

  package var isSuccess: Bool { problem == nil && reason == nil && status?.isSuccess == true }

  /// As a shell counts: 127 if there is no such program, 126 if it can't be run, 128 and the signal.
  package var exitCode: Int32 {
    if let problem { return problem.code == .notFound ? 127 : problem.code == .notExecutable ? 126 : 1 }
    if reason == .timeLimit { return 124 }
    switch status {
    case .exited(let code): return code == 0 && reason != nil ? 1 : code
    case .signalled(let signal, _): return 128 + signal
    default: return 1
    }
  }

  package var description: String {
    if let problem { return problem.text }
    switch reason {
    case .timeLimit: return "exceeded its time limit"
    case .memoryLimit: return "exceeded its memory limit"
    case .asked: return "was ended"
    case .output(let error):
      return
        "was killed: what it printed could not be kept until it is shown (\(String(cString: strerror(error))))"
    case nil: return status.map { "ended with \($0)" } ?? "unknown"
    }
  }
}
