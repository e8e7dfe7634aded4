import ApusDisplays
import ApusPrograms
import ApusSystem

/// What a run tells when it is over: summary, report, trace. Their files are made before the first job is started.
final class RunReports {
  private let results: RunResults
  private let recorder: WorkRecorder?
  private let page: WholeFile?
  private let trace: TraceFile?

  /// - Throws: `ProgramProblem` if a file can't be written.
  init(_ results: RunResults, title: String) throws(ProgramProblem) {
    self.results = results
    do throws(FileError) {
      page = try results.report.map { (path) throws(FileError) in try WholeFile(ByteString(path)) }
      trace = try results.trace.map { (path) throws(FileError) in
        TraceFile(try WholeFile(ByteString(path)))
      }
    } catch { throw .file("\(error)") }
    recorder = results.summary || page != nil ? WorkRecorder(title) : nil
  }

  /// Whether all was written.
  func finish() -> Bool {
    recorder?.finish()
    var isWhole = true
    if let page, let recorder {
      do throws(FileError) { try recorder.writeReport(to: page) } catch {
        complainOfRun("there is no report: \(error)")
        isWhole = false
      }
    }
    do throws(ReportFailure) { try trace?.finish() } catch {
      complainOfRun("there is no trace: \(error)")
      isWhole = false
    }
    if results.summary, let recorder {
      for line in recorder.summary.split(separator: "\n") { complainOfRun(String(line)) }
    }
    return isWhole
  }
}
