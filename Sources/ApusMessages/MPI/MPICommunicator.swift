package import CApus

/// A communicator of the MPI library's.
///
/// Nothing is freed by itself: freeing is an act of all its ranks together.
package struct MPICommunicator: Sendable, Equatable {
  /// Any rank, as the source of a message.
  package static let anyone = Int(APUS_MPI_ANY)
  /// No rank: sending to it and receiving from it do nothing.
  package static let nobody = Int(APUS_MPI_NOBODY)
  package static let anyTag = Int32(APUS_MPI_ANY)

  /// MPI_Comm as the library knows it: its pointer or, in MPICH, its 4-byte number.
  package let handle: apus_mpi_handle
  package let rank: Int
  package let size: Int

  /// A communicator that MPI calls beside Apus's have made.
  package init(handle: apus_mpi_handle) throws(MPIFailure) {
    var (rank, size) = (Int32(0), Int32(0))
    try checkMPI(apus_mpi_comm_rank(handle, &rank), "MPI_Comm_rank")
    try checkMPI(apus_mpi_comm_size(handle, &size), "MPI_Comm_size")
    (self.handle, self.rank, self.size) = (handle, Int(rank), Int(size))
  }

  /// The same ranks, whose messages are apart from these.
  package func duplicate() throws(MPIFailure) -> MPICommunicator {
    var result: apus_mpi_handle = 0
    try checkMPI(apus_mpi_comm_dup(handle, &result), "MPI_Comm_dup")
    return try MPICommunicator(handle: result)
  }

  /// The ranks of the same colour, in the order of their keys; nil for ranks without a colour.
  package func split(color: Int32?, key: Int32) throws(MPIFailure) -> MPICommunicator? {
    var result: apus_mpi_handle = 0
    try checkMPI(apus_mpi_comm_split(handle, color ?? -1, key, &result), "MPI_Comm_split")
    return result == 0 ? nil : try MPICommunicator(handle: result)
  }

  /// The ranks that share memory with this one.
  package func splitShared(key: Int32 = 0) throws(MPIFailure) -> MPICommunicator {
    var result: apus_mpi_handle = 0
    try checkMPI(apus_mpi_comm_split_shared(handle, key, &result), "MPI_Comm_split_type")
    return try MPICommunicator(handle: result)
  }

  /// Those with these ranks here, each of whom calls it, in this order.
  package func including(_ ranks: [Int32]) throws(MPIFailure) -> MPICommunicator {
    var result: apus_mpi_handle = 0
    try checkMPI(
      apus_mpi_comm_of(handle, Int32(clamping: ranks.count), ranks, &result), "MPI_Comm_create_group")
    let made = try MPICommunicator(handle: result)
    try made.setErrorsReturn()
    return made
  }

  package func free() throws(MPIFailure) {
    var handle = handle
    try checkMPI(apus_mpi_comm_free(&handle), "MPI_Comm_free")
  }

  /// Makes errors on this communicator throw. Those of the world do, and what is made from them.
  package func setErrorsReturn() throws(MPIFailure) {
    try checkMPI(apus_mpi_errors_return(handle), "MPI_Comm_set_errhandler")
  }

  /// The greatest tag that may be used: at least 32767.
  package func greatestTag() throws(MPIFailure) -> Int32 {
    var limit: Int32 = 0
    try checkMPI(apus_mpi_tag_limit(handle, &limit), "MPI_Comm_get_attr")
    return limit
  }

  /// Ends the program, every rank of it.
  package func abort(status: Int32) { _ = apus_mpi_abort(handle, status) }

  /// A rank for C. One that is out of its range is no rank, and the library says so.
  @inline(__always)
  func number(_ rank: Int) -> Int32 { Int32(clamping: rank) }
}
