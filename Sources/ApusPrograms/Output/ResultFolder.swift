package import ApusSystem
import Glibc

/// A folder with what each job printed: in `1/stdout`, `1/stderr`, and so on by the jobs' numbers, and in `1/job.json` what
/// became of it, as a log has it. Files are there when the job is over, and whole.
package final class ResultFolder: Sendable {
  private let path: ByteString

  /// Makes the folder, if there is none.
  ///
  /// - Parameter goesOn: Whether it may have results of this run already.
  /// - Throws: `ProgramProblem` if it can't be made or has something in it.
  package init(_ path: ByteString, goesOn: Bool) throws(ProgramProblem) {
    self.path = path
    if path.withCString({ mkdir($0, 0o777) }) == 0 { return }
    let error = errno
    guard error == EEXIST, path.withCString({ access($0, W_OK | X_OK) }) == 0 else {
      throw .file("the folder \(path) for results can't be made: \(String(cString: strerror(error)))")
    }
    if !goesOn, !ApusSystem.names(in: path.description).allSatisfy({ $0 == "." || $0 == ".." }) {
      throw .file(
        "there is something in \(path) already: name another folder for results, or --resume that run")
    }
  }

  /// Where a job's results go.
  func results(of number: Int) throws(FileError) -> JobResults {
    let folder = ByteString("\(path)/\(number)")
    if folder.withCString({ mkdir($0, 0o777) }) != 0, errno != EEXIST {
      throw FileError(folder, errno)
    }
    return try JobResults(folder)
  }
}

/// The files of one job.
final class JobResults: Sendable {
  let output: WholeFile
  let errors: WholeFile
  private let facts: WholeFile

  init(_ folder: ByteString) throws(FileError) {
    output = try WholeFile(folder + "/stdout")
    errors = try WholeFile(folder + "/stderr")
    facts = try WholeFile(folder + "/job.json")
  }

  /// The job is over.
  func commit(_ line: String) throws(FileError) {
    try output.commit()
    try errors.commit()
    // Last: whoever finds it finds the others.
    try facts.write(line)
    try facts.commit()
  }
}
