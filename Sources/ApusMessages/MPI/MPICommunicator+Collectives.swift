import CApus

// What all ranks do together, in the same order. A buffer that is `nil` where it may be is MPI_IN_PLACE: the other
// buffer holds the input too. Buffers that don't hold what they must are `badArgument`, before any rank waits.
extension MPICommunicator {
  package func barrier() throws(MPIFailure) { try checkMPI(apus_mpi_barrier(handle), "MPI_Barrier") }

  /// The root's buffer is copied into everybody's. The buffers are equally long.
  package func broadcast<T: MPINumber>(
    _ buffer: UnsafeMutableBufferPointer<T>, from root: Int
  ) throws(MPIFailure) {
    try checkMPI(
      apus_mpi_bcast(buffer.baseAddress, Int64(buffer.count), T.mpiType, number(root), handle), "MPI_Bcast")
  }

  /// The root gets everybody's `count` elements, in the order of ranks.
  package func gather<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, count: Int, into to: UnsafeMutableBufferPointer<T>?, at root: Int
  ) throws(MPIFailure) {
    try require(from, holds: count, "MPI_Gather")
    if rank == root { try require(reading(to), holds: count, times: size, "MPI_Gather") }
    try checkMPI(
      apus_mpi_gather(
        start(from), to?.baseAddress, Int64(count), T.mpiType, number(root), handle), "MPI_Gather")
  }

  /// The root's buffer is cut into `count` elements for each rank.
  package func scatter<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, count: Int, into to: UnsafeMutableBufferPointer<T>?, from root: Int
  ) throws(MPIFailure) {
    try require(to.map { UnsafeBufferPointer($0) }, holds: count, "MPI_Scatter")
    if rank == root { try require(from ?? reading(nil), holds: count, times: size, "MPI_Scatter") }
    try checkMPI(
      apus_mpi_scatter(
        from?.baseAddress, start(to), Int64(count), T.mpiType, number(root), handle), "MPI_Scatter")
  }

  /// Everybody gets everybody's `count` elements.
  package func allGather<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, count: Int, into to: UnsafeMutableBufferPointer<T>
  ) throws(MPIFailure) {
    try require(from, holds: count, "MPI_Allgather")
    try require(UnsafeBufferPointer(to), holds: count, times: size, "MPI_Allgather")
    try checkMPI(
      apus_mpi_allgather(start(from), to.baseAddress, Int64(count), T.mpiType, handle), "MPI_Allgather")
  }

  /// Everybody gives each rank `count` elements.
  package func allToAll<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, count: Int, into to: UnsafeMutableBufferPointer<T>
  ) throws(MPIFailure) {
    try require(from, holds: count, times: size, "MPI_Alltoall")
    try require(UnsafeBufferPointer(to), holds: count, times: size, "MPI_Alltoall")
    try checkMPI(
      apus_mpi_alltoall(start(from), to.baseAddress, Int64(count), T.mpiType, handle), "MPI_Alltoall")
  }

  package func reduce<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, into to: UnsafeMutableBufferPointer<T>?, _ operation: MPIOperator,
    at root: Int
  ) throws(MPIFailure) {
    let count = from?.count ?? to?.count ?? 0
    if rank == root { try require(reading(to), holds: count, "MPI_Reduce") }
    try checkMPI(
      apus_mpi_reduce(
        start(from), to?.baseAddress, Int64(count), T.mpiType, operation.number, number(root), handle),
      "MPI_Reduce")
  }

  package func allReduce<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, into to: UnsafeMutableBufferPointer<T>, _ operation: MPIOperator
  ) throws(MPIFailure) {
    try require(from, holds: to.count, "MPI_Allreduce")
    try checkMPI(
      apus_mpi_allreduce(
        start(from), to.baseAddress, Int64(to.count), T.mpiType, operation.number, handle), "MPI_Allreduce")
  }

  /// Reduces `to.count` elements for each rank, and each gets its own.
  package func reduceScatter<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>, into to: UnsafeMutableBufferPointer<T>, _ operation: MPIOperator
  ) throws(MPIFailure) {
    try require(from, holds: to.count, times: size, "MPI_Reduce_scatter_block")
    try checkMPI(
      apus_mpi_reduce_scatter_block(
        from.baseAddress, to.baseAddress, Int64(to.count), T.mpiType, operation.number, handle),
      "MPI_Reduce_scatter_block")
  }

  /// Each rank gets the reduction of the ranks up to and with itself.
  package func scan<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, into to: UnsafeMutableBufferPointer<T>, _ operation: MPIOperator
  ) throws(MPIFailure) {
    try require(from, holds: to.count, "MPI_Scan")
    try checkMPI(
      apus_mpi_scan(
        start(from), to.baseAddress, Int64(to.count), T.mpiType, operation.number, handle), "MPI_Scan")
  }

  /// Each rank gets the reduction of the ranks before itself. What rank 0 gets means nothing.
  package func exclusiveScan<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, into to: UnsafeMutableBufferPointer<T>, _ operation: MPIOperator
  ) throws(MPIFailure) {
    try require(from, holds: to.count, "MPI_Exscan")
    try checkMPI(
      apus_mpi_exscan(
        start(from), to.baseAddress, Int64(to.count), T.mpiType, operation.number, handle), "MPI_Exscan")
  }
}

extension MPICommunicator {
  func start<T>(_ buffer: UnsafeBufferPointer<T>?) -> UnsafeRawPointer? {
    guard let buffer else { return apus_mpi_in_place() }
    return UnsafeRawPointer(buffer.baseAddress)
  }

  func start<T>(_ buffer: UnsafeMutableBufferPointer<T>?) -> UnsafeMutableRawPointer? {
    guard let buffer else { return UnsafeMutableRawPointer(mutating: apus_mpi_in_place()) }
    return UnsafeMutableRawPointer(buffer.baseAddress)
  }

  /// Where `nil` is no buffer at all.
  func reading<T>(_ buffer: UnsafeMutableBufferPointer<T>?) -> UnsafeBufferPointer<T> {
    UnsafeBufferPointer(start: buffer?.baseAddress, count: buffer?.count ?? 0)
  }

  /// A buffer that is `nil` holds what it must.
  func require<T>(
    _ buffer: UnsafeBufferPointer<T>?, holds count: Int, times blocks: Int = 1, _ call: StaticString
  ) throws(MPIFailure) {
    let (needed, overflow) = count.multipliedReportingOverflow(by: blocks)
    if count < 0 || overflow || needed > buffer?.count ?? needed {
      throw MPIFailure(
        .badArgument, "a buffer of \(buffer?.count ?? 0) elements has to hold \(blocks) × \(count)",
        call: "\(call)")
    }
  }
}
