import ApusMessages
import CApus

/// Errors come back, with the library's own words, and don't end the program.
func checkErrors(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  checks.expect(.call, "a send to a rank that is not there") { () throws(MPIFailure) in
    try world.send([1], to: world.size, tag: 0)
  }
  checks.expect(.call, "a send to a rank beyond any number of ranks") { () throws(MPIFailure) in
    try world.send([1], to: 1 << 32, tag: 0)
  }
  do {
    try world.send([1], to: 0, tag: -5)
    checks.expect(false, "a negative tag fails")
  } catch {
    checks.expect(error.errorClass, Int32(APUS_MPI_CLASS_TAG), "the class of a bad tag")
    checks.expect(error.call, "MPI_Send", "the call that failed")
  }
  var rank = Int32(0)
  var begun: apus_mpi_handle = 0
  checks.expect(
    apus_mpi_error_class(apus_mpi_iallreduce(nil, 1, 99, 0, world.handle, &begun)),
    Int32(APUS_MPI_CLASS_UNKNOWN), "an unknown type never reaches the library")
  checks.expect(apus_mpi_comm_rank(apus_mpi_world(), &rank), 0, "and all goes on")

  // Too long a message, on duplicates too: they inherit the handler.
  let copy = try world.duplicate()
  var request = try with([Int32(1), 2, 3]) { bytes throws(MPIFailure) in
    try copy.startSend(bytes, to: copy.rank, tag: 2)
  }
  checks.expect(.truncated, "a message longer than its buffer") { () throws(MPIFailure) in
    _ = try copy.receive(capacity: 1, from: copy.rank, tag: 2)
  }
  try request.wait()

  try checkRequestErrors(copy, &checks)
  try copy.free()
}

/// The messages come before the receives: Open MPI does not see that a message to itself was too long if the receive
/// was there first (4.1 and 5.0; in C too).
private func checkRequestErrors(_ copy: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  var room: [Int32] = [0, 0]
  let values: [Int32] = [5, 6]
  let cells = [0, 1]
  var sends: [MPIRequest] = []
  try with(values) { bytes throws(MPIFailure) in
    let short = UnsafeRawBufferPointer(rebasing: bytes.prefix(4))
    for (tag, message) in [short, bytes, bytes, bytes].enumerated() {
      sends.append(try copy.startSend(message, to: copy.rank, tag: Int32(tag)))
    }
    try using(&room) { buffer throws(MPIFailure) in
      func receive(into cell: Int, tag: Int32) throws(MPIFailure) -> MPIRequest {
        let cell = UnsafeMutableBufferPointer(rebasing: buffer[cell...cell])
        return try copy.startReceive(into: UnsafeMutableRawBufferPointer(cell), from: copy.rank, tag: tag)
      }
      var requests: [MPIRequest] = []
      for cell in cells { requests.append(try receive(into: cell, tag: Int32(cell))) }
      checks.expect(.truncated, "one of two receives too small") { () throws(MPIFailure) in
        try MPIRequest.waitAll(&requests)
      }
      checks.expect(buffer[0], 5, "the other receive is good")

      var request = try receive(into: 0, tag: 2)
      checks.expect(.truncated, "a wait for a receive too small") { () throws(MPIFailure) in
        try request.wait()
      }
      request = try receive(into: 0, tag: 3)
      checks.expect(.truncated, "a test of a receive too small") { () throws(MPIFailure) in
        while try request.test() == nil {}
      }
    }
    try MPIRequest.waitAll(&sends)
  }
}
