import ApusMessages
public import CApusPython

/// Where Python says that bytes are to go.
public typealias Room =
  @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<apus_py_message>) -> UnsafeMutableRawPointer?

/// Sends bytes. Without `waits`: only if that needs no waiting, else `APUS_PY_NOT_YET`.
@c(apus_py_send)
public func send(
  _ ranks: UnsafeMutableRawPointer, _ value: UnsafePointer<apus_py_value>, _ destination: Int64, _ tag: Int64,
  _ waits: Int32, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  asking(problem) {
    try communicator(ranks).send(
      bytes: bytes(of: value.pointee), kind: value.pointee.kind, to: Int(destination), tag: Int(tag),
      waits: waits != 0)
  }
}

/// Receives a message where `room` says. -1 stands for any source, and any tag. Without `waits`: only if it is there, else
/// `APUS_PY_NOT_YET`.
@c(apus_py_receive)
public func receive(
  _ ranks: UnsafeMutableRawPointer, _ source: Int64, _ tag: Int64, _ waits: Int32, _ room: Room,
  _ context: UnsafeMutableRawPointer?, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  asking(problem) {
    var isRefused = false
    let came = try communicator(ranks).receive(
      bytesFrom: try selection(source, "rank"), tag: try selection(tag, "tag"), waits: waits != 0
    ) { status in
      var message = message(status)
      let place = room(context, &message)
      isRefused = place == nil
      return place
    }
    if isRefused { throw Refused() }
    return came
  }
}

/// What the next message says of itself. Without `waits`: `APUS_PY_NOT_YET` if there is none.
@c(apus_py_probe)
public func probe(
  _ ranks: UnsafeMutableRawPointer, _ source: Int64, _ tag: Int64, _ waits: Int32,
  _ found: UnsafeMutablePointer<apus_py_message>, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  asking(problem) {
    let status = try communicator(ranks).probe(
      bytesFrom: try selection(source, "rank"), tag: try selection(tag, "tag"), waits: waits != 0)
    if let status { found.pointee = message(status) }
    return status != nil
  }
}

@inline(__always)
func bytes(of value: apus_py_value) -> UnsafeRawBufferPointer {
  UnsafeRawBufferPointer(start: value.bytes, count: Int(value.count))
}

@inline(__always)
func message(_ status: BytesStatus) -> apus_py_message {
  apus_py_message(
    source: Int64(status.source), tag: Int64(status.tag), kind: status.kind, count: UInt64(status.count))
}

@inline(__always)
func selection(_ number: Int64, _ what: String) throws -> Int {
  if number >= 0 { return Int(number) }
  guard number == -1 else {
    throw invalid("there is no \(what) \(number): apus.mpi.ANY, -1, takes any \(what)")
  }
  return Selector.all
}
