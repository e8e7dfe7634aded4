import CApus

/// What went wrong with MPI.
package struct MPIFailure: Error, Sendable, CustomStringConvertible {
  package struct Code: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    /// No library was found under any name.
    package static let libraryNotFound = Code(description: "libraryNotFound")
    /// The file that was named is no MPI library, or one that can't be loaded.
    package static let libraryNotUsable = Code(description: "libraryNotUsable")
    /// What started this program and the library know nothing of each other.
    package static let launcherDoesNotFit = Code(description: "launcherDoesNotFit")
    /// MPI was finished: it can't be started a second time.
    package static let finished = Code(description: "finished")
    /// More elements than this library's functions can count.
    package static let tooLarge = Code(description: "tooLarge")
    package static let noMemory = Code(description: "noMemory")
    package static let badArgument = Code(description: "badArgument")
    /// A message was longer than the buffer it was received into.
    package static let truncated = Code(description: "truncated")
    /// The library's function failed: `message` has the library's own words.
    package static let call = Code(description: "call")
  }

  package let code: Code
  /// The function that failed, as in "MPI_Recv"; empty if none did.
  package let call: String
  /// The library's own error code; 0 if it was not asked.
  package let number: Int32
  /// One of APUS_MPI_CLASS, the same number in every library; 0 if it was not asked.
  package let errorClass: Int32
  package let message: String

  package init(_ code: Code, _ message: String, call: String = "") {
    (self.code, self.message, self.call) = (code, message, call)
    (number, errorClass) = (0, 0)
  }

  /// What a function of the table returned.
  init(returned number: Int32, by call: StaticString) {
    self.call = "\(call)"
    self.number = number
    switch number {
    case Int32(APUS_MPI_TOO_LARGE):
      (code, errorClass) = (.tooLarge, Int32(APUS_MPI_CLASS_COUNT))
      message = "this MPI library counts at most 2147483647 elements here. Use parts, or a library of MPI 4"
    case Int32(APUS_MPI_NO_MEMORY):
      (code, errorClass) = (.noMemory, Int32(APUS_MPI_CLASS_OTHER))
      message = "no memory is left"
    case ..<0:
      (code, errorClass) = (.badArgument, Int32(APUS_MPI_CLASS_ARG))
      message = "an argument is out of range"
    default:
      errorClass = apus_mpi_error_class(number)
      code = errorClass == Int32(APUS_MPI_CLASS_TRUNCATE) ? .truncated : .call
      message = MPILibrary.text { apus_mpi_error_string(number, $0, $1) }
    }
  }

  package var description: String { call.isEmpty ? message : "\(call): \(message)" }
}

/// Throws what a function of the table returned, unless that is 0.
@inline(__always)
func checkMPI(_ number: Int32, _ call: StaticString) throws(MPIFailure) {
  if number != 0 { throw failure(number, call) }
}

@inline(never)
private func failure(_ number: Int32, _ call: StaticString) -> MPIFailure {
  MPIFailure(returned: number, by: call)
}
