import CApus

// What all ranks do together, in the same order, as requests. Memory that goes in or out stays untouched until the
// request is done. More elements than the library's functions count are `tooLarge`, before anything is sent.
extension MPICommunicator {
  package func startBarrier() throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Ibarrier") { apus_mpi_ibarrier(handle, $0) }
  }

  /// The root's bytes are copied into everybody's, which are as many.
  package func startBroadcast(
    _ bytes: UnsafeMutableRawBufferPointer, from root: Int
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Ibcast") {
      apus_mpi_ibcast(
        bytes.baseAddress, Int64(bytes.count), Int32(APUS_MPI_BYTE), number(root), handle, $0)
    }
  }

  /// The root gets everybody's bytes, in the order of ranks.
  package func startGather(
    _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawPointer?, to root: Int
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Igather") {
      apus_mpi_igather(
        bytes.baseAddress, all, Int64(bytes.count), Int32(APUS_MPI_BYTE), number(root), handle, $0)
    }
  }

  /// The root's bytes are cut into `bytes.count` for each rank.
  package func startScatter(
    _ all: UnsafeRawPointer?, into bytes: UnsafeMutableRawBufferPointer, from root: Int
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Iscatter") {
      apus_mpi_iscatter(
        all, bytes.baseAddress, Int64(bytes.count), Int32(APUS_MPI_BYTE), number(root), handle, $0)
    }
  }

  /// Everybody gets everybody's bytes. Each rank's own lie in their place.
  package func startAllGather(_ all: UnsafeMutableRawBufferPointer) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Iallgather") {
      apus_mpi_iallgather(all.baseAddress, Int64(all.count / size), Int32(APUS_MPI_BYTE), handle, $0)
    }
  }

  /// Everybody gives each rank as many bytes; `to` is as long as `from`.
  package func startAllToAll(
    _ from: UnsafeRawBufferPointer, into to: UnsafeMutableRawPointer?
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Ialltoall") {
      apus_mpi_ialltoall(
        from.baseAddress, to, Int64(from.count / size), Int32(APUS_MPI_BYTE), handle, $0)
    }
  }

  // MARK: Reductions of elements that are numbers to MPI

  /// - Parameter result: Looked at on the root alone; may be the same memory as `elements`.
  package func startReduce(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawPointer?, _ how: MPIReduction,
    to root: Int
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Ireduce") {
      apus_mpi_ireduce(
        elements.baseAddress, rank == root ? result : nil, how.count(elements.count), how.type, how.operation,
        number(root), handle, $0)
    }
  }

  package func startAllReduce(
    _ elements: UnsafeMutableRawBufferPointer, _ how: MPIReduction
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Iallreduce") {
      apus_mpi_iallreduce(
        elements.baseAddress, how.count(elements.count), how.type, how.operation, handle, $0)
    }
  }

  /// Reduces as many elements for each rank, and each gets its own.
  package func startReduceScatter(
    _ elements: UnsafeRawPointer?, into result: UnsafeMutableRawBufferPointer, _ how: MPIReduction
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Ireduce_scatter_block") {
      apus_mpi_ireduce_scatter_block(
        elements, result.baseAddress, how.count(result.count), how.type, how.operation, handle, $0)
    }
  }

  /// Each rank gets the reduction of the ranks up to and with itself.
  package func startScan(
    _ elements: UnsafeMutableRawBufferPointer, _ how: MPIReduction
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Iscan") {
      apus_mpi_iscan(elements.baseAddress, how.count(elements.count), how.type, how.operation, handle, $0)
    }
  }

  /// Each rank gets the reduction of the ranks before itself; rank 0's result stays as it is.
  package func startExclusiveScan(
    _ elements: UnsafeRawBufferPointer, into result: UnsafeMutableRawPointer?, _ how: MPIReduction
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Iexscan") {
      apus_mpi_iexscan(
        elements.baseAddress, result, how.count(elements.count), how.type, how.operation, handle, $0)
    }
  }
}
