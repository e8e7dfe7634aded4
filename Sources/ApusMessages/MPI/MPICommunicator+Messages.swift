import CApus

// Messages of bytes. Tags are 0 or greater.
extension MPICommunicator {
  @inline(__always)
  package func send(_ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32) throws(MPIFailure) {
    try checkMPI(
      apus_mpi_send(bytes.baseAddress, Int64(bytes.count), number(destination), tag, handle), "MPI_Send")
  }

  /// Waits until the receiver has begun to receive it.
  package func synchronousSend(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32
  ) throws(MPIFailure) {
    try checkMPI(
      apus_mpi_ssend(bytes.baseAddress, Int64(bytes.count), number(destination), tag, handle), "MPI_Ssend")
  }

  /// Receives a message that is not longer than the buffer. A longer one is lost, and the error is `truncated`.
  @inline(__always) @discardableResult
  package func receive(
    into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32
  ) throws(MPIFailure) -> MPIStatus {
    var status = apus_mpi_status()
    try checkMPI(
      apus_mpi_recv(buffer.baseAddress, Int64(buffer.count), number(source), tag, handle, &status),
      "MPI_Recv")
    return MPIStatus(status)
  }

  /// The same for who does not want to know what came.
  @inline(__always)
  func receiveBlindly(
    into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag: Int32
  ) throws(MPIFailure) {
    try checkMPI(
      apus_mpi_recv(buffer.baseAddress, Int64(buffer.count), number(source), tag, handle, nil), "MPI_Recv")
  }

  /// Receives under whatever tag, for who only wants to know that tag and the sender.
  @inline(__always)
  func receiveWithTag(
    into buffer: UnsafeMutableRawBufferPointer, from source: Int
  ) throws(MPIFailure) -> (source: Int32, tag: Int32) {
    var (from, tag) = (Int32(0), Int32(0))
    try checkMPI(
      apus_mpi_recv_tagged(buffer.baseAddress, Int32(buffer.count), number(source), handle, &from, &tag),
      "MPI_Recv")
    return (from, tag)
  }

  /// Sends and receives at a time.
  @discardableResult
  package func exchange(
    _ bytes: UnsafeRawBufferPointer, to destination: Int, tag: Int32,
    into buffer: UnsafeMutableRawBufferPointer, from source: Int, tag receiveTag: Int32
  ) throws(MPIFailure) -> MPIStatus {
    var status = apus_mpi_status()
    try checkMPI(
      apus_mpi_sendrecv(
        bytes.baseAddress, Int64(bytes.count), number(destination), tag, buffer.baseAddress,
        Int64(buffer.count), number(source), receiveTag, handle, &status), "MPI_Sendrecv")
    return MPIStatus(status)
  }

  /// Waits for a message, and leaves it where it is.
  package func probe(from source: Int, tag: Int32) throws(MPIFailure) -> MPIStatus {
    var status = apus_mpi_status()
    try checkMPI(apus_mpi_probe(number(source), tag, handle, &status), "MPI_Probe")
    return MPIStatus(status)
  }

  /// The same without waiting: nil if there is no message.
  package func immediateProbe(from source: Int, tag: Int32) throws(MPIFailure) -> MPIStatus? {
    var status = apus_mpi_status()
    var found = false
    try checkMPI(apus_mpi_iprobe(number(source), tag, handle, &found, &status), "MPI_Iprobe")
    return found ? MPIStatus(status) : nil
  }

  /// Waits for a message and keeps it for the caller, who can then make room for it.
  package func match(from source: Int, tag: Int32) throws(MPIFailure) -> MPIMessage {
    var status = apus_mpi_status()
    var message: apus_mpi_handle = 0
    try checkMPI(apus_mpi_mprobe(number(source), tag, handle, &message, &status), "MPI_Mprobe")
    return MPIMessage(handle: message, status: MPIStatus(status))
  }

  /// The same without waiting: nil if there is no message.
  package func immediateMatch(from source: Int, tag: Int32) throws(MPIFailure) -> MPIMessage? {
    var status = apus_mpi_status()
    var message: apus_mpi_handle = 0
    var found = false
    try checkMPI(apus_mpi_improbe(number(source), tag, handle, &found, &message, &status), "MPI_Improbe")
    return found ? MPIMessage(handle: message, status: MPIStatus(status)) : nil
  }
}

extension MPIMessage {
  @discardableResult
  package consuming func receive(into buffer: UnsafeMutableRawBufferPointer) throws(MPIFailure) -> MPIStatus {
    var status = apus_mpi_status()
    try checkMPI(apus_mpi_mrecv(buffer.baseAddress, Int64(buffer.count), &handle, &status), "MPI_Mrecv")
    return MPIStatus(status)
  }

  package consuming func startReceive(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(MPIFailure) -> MPIRequest {
    var message = handle
    return try MPIRequest("MPI_Imrecv") {
      apus_mpi_imrecv(buffer.baseAddress, Int64(buffer.count), &message, $0)
    }
  }
}
