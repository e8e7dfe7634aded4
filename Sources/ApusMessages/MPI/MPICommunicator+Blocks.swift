import CApus

/// How many elements of a buffer are each rank's, and where they begin.
package struct MPIBlocks: Sendable {
  package let counts: [Int64]
  package let offsets: [Int64]

  /// One block after the other.
  package init(counts: [Int]) {
    self.counts = counts.map { Int64($0) }
    var next: Int64 = 0
    offsets = counts.map { count in
      defer { next &+= Int64(count) }
      return next
    }
  }

  package init(counts: [Int], offsets: [Int]) {
    self.counts = counts.map { Int64($0) }
    self.offsets = offsets.map { Int64($0) }
  }

  func fits(ranks: Int, elements: Int) -> Bool {
    counts.count == ranks && offsets.count == ranks
      && zip(counts, offsets).allSatisfy { count, offset in
        let (end, overflow) = offset.addingReportingOverflow(count)
        return count >= 0 && offset >= 0 && !overflow && end <= elements
      }
  }
}

// The collectives where ranks have different numbers of elements. Blocks are read at the root alone.
extension MPICommunicator {
  package func gather<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>, into to: UnsafeMutableBufferPointer<T>?, _ blocks: MPIBlocks?,
    at root: Int
  ) throws(MPIFailure) {
    if rank == root { try require(blocks, elements: to?.count ?? 0, "MPI_Gatherv") }
    try checkMPI(
      apus_mpi_gatherv(
        from.baseAddress, Int64(from.count), to?.baseAddress, blocks?.counts, blocks?.offsets, T.mpiType,
        number(root), handle), "MPI_Gatherv")
  }

  package func scatter<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>?, _ blocks: MPIBlocks?, into to: UnsafeMutableBufferPointer<T>,
    from root: Int
  ) throws(MPIFailure) {
    if rank == root { try require(blocks, elements: from?.count ?? 0, "MPI_Scatterv") }
    try checkMPI(
      apus_mpi_scatterv(
        from?.baseAddress, blocks?.counts, blocks?.offsets, to.baseAddress, Int64(to.count), T.mpiType,
        number(root), handle), "MPI_Scatterv")
  }

  package func allGather<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>, into to: UnsafeMutableBufferPointer<T>, _ blocks: MPIBlocks
  ) throws(MPIFailure) {
    try require(blocks, elements: to.count, "MPI_Allgatherv")
    try checkMPI(
      apus_mpi_allgatherv(
        from.baseAddress, Int64(from.count), to.baseAddress, blocks.counts, blocks.offsets, T.mpiType, handle),
      "MPI_Allgatherv")
  }

  package func allToAll<T: MPINumber>(
    _ from: UnsafeBufferPointer<T>, _ fromBlocks: MPIBlocks, into to: UnsafeMutableBufferPointer<T>,
    _ toBlocks: MPIBlocks
  ) throws(MPIFailure) {
    try require(fromBlocks, elements: from.count, "MPI_Alltoallv")
    try require(toBlocks, elements: to.count, "MPI_Alltoallv")
    try checkMPI(
      apus_mpi_alltoallv(
        from.baseAddress, fromBlocks.counts, fromBlocks.offsets, to.baseAddress, toBlocks.counts,
        toBlocks.offsets, T.mpiType, handle), "MPI_Alltoallv")
  }

  private func require(_ blocks: MPIBlocks?, elements: Int, _ call: StaticString) throws(MPIFailure) {
    if blocks?.fits(ranks: size, elements: elements) == true { return }
    throw MPIFailure(
      .badArgument, "there must be a block for each of \(size) ranks, within \(elements) elements",
      call: "\(call)")
  }
}
