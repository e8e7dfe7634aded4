import CApus

/// What is known of a message that has come.
package struct MPIStatus: Sendable, Equatable {
  /// The sender's rank; `MPICommunicator.nobody` if the receive was from nobody.
  package var source: Int
  package var tag: Int32
  /// Its length in bytes.
  package var count: Int
  package var isCancelled: Bool

  @inline(__always)
  init(_ status: apus_mpi_status) {
    (source, tag) = (Int(status.source), status.tag)
    (count, isCancelled) = (Int(status.count), status.cancelled)
  }
}

/// A message that was matched and that only its holder can receive. To be received once.
package struct MPIMessage: Sendable {
  var handle: apus_mpi_handle
  package let status: MPIStatus
}
