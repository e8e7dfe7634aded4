import ApusPrograms
import ApusSystem
import Glibc

/// Prints the commands that would be run, as one would type them.
struct DryRun {
  private let source: JobSource
  private let isForShell: Bool

  init(_ source: JobSource, isForShell: Bool) { (self.source, self.isForShell) = (source, isForShell) }

  func run() throws(ProgramProblem) -> Never {
    let target = LineTarget.standardOutput
    while true {
      switch try source.next() {
      case .skipped: break
      case .waiting(let descriptor): _ = isReadable(descriptor, within: -1)
      case .end:
        while !target.isSettled && !target.isBroken { target.settle() }
        exit(target.loss == 0 ? 0 : 74)
      case .job(let job):
        let command = try source.template.command(job.row, number: job.number, slot: nil)
        let words = isForShell ? command : command.map { ShellQuoting.quote($0) }
        let line = words.map(\.bytes).joined(separator: [UInt8(ascii: " ")])
        (Array(line) + [UInt8(ascii: "\n")]).withUnsafeBytes { target.write($0) }
        while target.isCongested { target.settle() }
        if target.isBroken { EndingSignals.die(of: SIGPIPE) }
      }
    }
  }
}
