package import CApus

/// Something that MPI has begun. Its buffer stays in place and untouched until it is done.
///
/// A request that is dropped before it is done leaks, and MPI goes on with its buffer.
package struct MPIRequest: Sendable {
  /// MPI_Request as the library knows it; 0 when it is done.
  package var handle: apus_mpi_handle

  package init(handle: apus_mpi_handle) { self.handle = handle }

  /// What a function of the table begins.
  @inline(__always)
  init(
    _ call: StaticString, _ start: (UnsafeMutablePointer<apus_mpi_handle>) -> Int32
  ) throws(MPIFailure) {
    handle = 0
    try checkMPI(start(&handle), call)
  }

  package var isDone: Bool { handle == 0 }

  @discardableResult
  package mutating func wait() throws(MPIFailure) -> MPIStatus {
    var status = apus_mpi_status()
    try checkMPI(apus_mpi_wait(&handle, &status), "MPI_Wait")
    return MPIStatus(status)
  }

  /// The same for who does not want to know what came.
  mutating func waitBlindly() throws(MPIFailure) { try checkMPI(apus_mpi_wait(&handle, nil), "MPI_Wait") }

  /// Whether it is done.
  mutating func testBlindly() throws(MPIFailure) -> Bool {
    var done = false
    try checkMPI(apus_mpi_test(&handle, &done, nil), "MPI_Test")
    return done
  }

  /// nil if it is not done.
  package mutating func test() throws(MPIFailure) -> MPIStatus? {
    var status = apus_mpi_status()
    var done = false
    try checkMPI(apus_mpi_test(&handle, &done, &status), "MPI_Test")
    return done ? MPIStatus(status) : nil
  }

  /// Asks to forget it. It has to be waited for all the same: its status then says whether it was forgotten.
  package mutating func cancel() throws(MPIFailure) {
    try checkMPI(apus_mpi_cancel(&handle), "MPI_Cancel")
  }

  /// Waits until all are done.
  @discardableResult
  package static func waitAll(_ requests: inout [MPIRequest]) throws(MPIFailure) -> [MPIStatus] {
    var handles = requests.map { $0.handle }
    var statuses = [apus_mpi_status](repeating: apus_mpi_status(), count: handles.count)
    let code = apus_mpi_waitall(Int32(clamping: handles.count), &handles, &statuses)
    for index in handles.indices { requests[index].handle = handles[index] }
    if code != 0 {
      // "Look into the statuses" tells nobody anything: the first of them that failed does.
      let own = statuses.first { status in
        status.error > 0 && apus_mpi_error_class(status.error) != Int32(APUS_MPI_CLASS_PENDING)
      }
      try checkMPI(own?.error ?? code, "MPI_Waitall")
    }
    return statuses.map { MPIStatus($0) }
  }
}

extension MPICommunicator {
  package func startSend(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Isend") {
      apus_mpi_isend(bytes.baseAddress, Int64(bytes.count), number(destination), tag, handle, $0)
    }
  }

  package func startSynchronousSend(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Issend") {
      apus_mpi_issend(bytes.baseAddress, Int64(bytes.count), number(destination), tag, handle, $0)
    }
  }

  package func startReceive(
    into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32
  ) throws(MPIFailure) -> MPIRequest {
    try MPIRequest("MPI_Irecv") {
      apus_mpi_irecv(buffer.baseAddress, Int64(buffer.count), number(source), tag, handle, $0)
    }
  }
}
