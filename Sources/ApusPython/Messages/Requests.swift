import ApusMessages
public import CApusPython

// Started sends and receives, as Python holds them: given back by `apus_py_release`.

/// Starts to send bytes, which stay as they are until the request is done.
@c(apus_py_start_send)
public func startSend(
  _ ranks: UnsafeMutableRawPointer, _ value: UnsafePointer<apus_py_value>, _ destination: Int64, _ tag: Int64,
  _ place: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    place.pointee = handedOut(
      try BytesRequest(
        communicator(ranks), sending: bytes(of: value.pointee), kind: value.pointee.kind,
        to: Int(destination), tag: Int(tag)))
  }
}

/// Starts to receive a message. With `memory`, which holds `size` bytes and stays as it is until the request is done, it goes
/// there if its kind, masked, is `kind`, or `other`, and it is not too long: `apus_py_request_message` tells.
@c(apus_py_start_receive)
public func startReceive(
  _ ranks: UnsafeMutableRawPointer, _ source: Int64, _ tag: Int64, _ memory: UnsafeMutableRawPointer?,
  _ size: UInt64, _ kind: UInt64, _ other: UInt64, _ mask: UInt64,
  _ place: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
  _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let room = memory.map { UnsafeMutableRawBufferPointer(start: $0, count: Int(size)) }
    place.pointee = handedOut(
      try BytesRequest(
        communicator(ranks), receivingFrom: try selection(source, "rank"), tag: try selection(tag, "tag"),
        into: room
      ) { ($0.kind & mask == kind || $0.kind & mask == other) && UInt64($0.count) <= size })
  }
}

/// Whether a request is over: 0, else `APUS_PY_NOT_YET`.
@c(apus_py_request_test)
public func test(_ request: UnsafeMutableRawPointer, _ problem: UnsafeMutablePointer<apus_py_problem>)
  -> Int32
{ asking(problem) { try borrowed(request, BytesRequest.self).test() } }

/// Waits until a request is over.
@c(apus_py_request_wait)
public func wait(_ request: UnsafeMutableRawPointer, _ problem: UnsafeMutablePointer<apus_py_problem>)
  -> Int32
{ calling(problem) { try borrowed(request, BytesRequest.self).wait() } }

/// Gives a receive up. 0 if its message has come.
@c(apus_py_request_cancel)
public func cancel(_ request: UnsafeMutableRawPointer) -> Int32 {
  borrowed(request, BytesRequest.self).cancel() ? 1 : 0
}

/// What is known of the message of a receive that is done, and its bytes, unless they went elsewhere. 0: there is none.
@c(apus_py_request_message)
public func message(
  _ request: UnsafeMutableRawPointer, _ found: UnsafeMutablePointer<apus_py_message>,
  _ bytes: UnsafeMutablePointer<UnsafeRawPointer?>
) -> Int32 {
  let request = borrowed(request, BytesRequest.self)
  guard let status = request.status else { return 0 }
  found.pointee = message(status)
  bytes.pointee = request.bytes?.baseAddress
  return 1
}

/// Whether a request is over; moves nothing on. Not 0: it is.
@c(apus_py_request_is_done)
public func isDone(_ request: UnsafeMutableRawPointer) -> Int32 {
  borrowed(request, BytesRequest.self).isDone ? 1 : 0
}
