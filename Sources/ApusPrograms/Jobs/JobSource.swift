package import ApusSystem

/// The jobs of a run, made of its inputs one by one, without those that a log says were done.
package final class JobSource {
  package enum Drawn {
    case job(Job)
    /// It was done before.
    case skipped(number: Int)
    /// Nothing before this descriptor is readable.
    case waiting(Int32)
    case end
  }

  package let template: CommandTemplate
  private let inputs: any InputSource
  private let log: JobLog?
  private let folder: ByteString
  private var number = 0
  /// The last of those that are the same.
  private var seen: [JobIdentity: JobIdentity] = [:]

  package init(_ template: CommandTemplate, _ inputs: any InputSource, log: JobLog?, folder: ByteString) {
    (self.template, self.inputs, self.log, self.folder) = (template, inputs, log, folder)
  }

  package func next() throws(ProgramProblem) -> Drawn {
    switch try inputs.next() {
    case .end: return .end
    case .waiting(let descriptor): return .waiting(descriptor)
    case .row(let row):
      number += 1
      let job = Job(number, row, try identity(row))
      return log?.hasDone(job.identity) ?? false ? .skipped(number: number) : .job(job)
    }
  }

  private func identity(_ row: InputRow) throws(ProgramProblem) -> JobIdentity {
    guard log != nil else { return JobIdentity(0) }
    // Not by its number: that of a job changes with the inputs before it.
    let first = JobIdentity(try template.command(row, number: 0, slot: nil), folder: folder)
    let identity = seen[first]?.next() ?? first
    seen[first] = identity
    return identity
  }
}
