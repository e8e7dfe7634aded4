import ApusMessages

func checkRequests(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  try checkOverlap(world, count: 3, &checks)
  // More than fit into the room on the stack.
  try checkOverlap(world, count: 50, &checks)
  try checkCancelling(world, &checks)

  var done = MPIRequest(handle: 0)
  let status = try done.wait()
  checks.expect(status.count, 0, "a request that is done is done")
  let tested = try done.test()
  checks.expect(tested != nil, "a test finds it done")
}

/// `count` sends to the next rank and `count` receives from the one before, waited for together.
private func checkOverlap(_ world: MPICommunicator, count: Int, _ checks: inout Checks) throws(MPIFailure) {
  let next = (world.rank + 1) % world.size
  let previous = (world.rank + world.size - 1) % world.size
  let rooms = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
  let values = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
  defer {
    rooms.deallocate()
    values.deallocate()
  }
  rooms.initialize(repeating: -1)
  var requests: [MPIRequest] = []
  for index in 0..<count {
    let room = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: rooms[index...index]))
    requests.append(try world.startReceive(into: room, from: previous, tag: Int32(index)))
  }
  for index in 0..<count {
    values[index] = Int32(world.rank * 1000 + index)
    let bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: values[index...index]))
    let isSynchronous = index % 2 == 1
    requests.append(
      isSynchronous
        ? try world.startSynchronousSend(bytes, to: next, tag: Int32(index))
        : try world.startSend(bytes, to: next, tag: Int32(index)))
  }
  let statuses = try MPIRequest.waitAll(&requests)
  checks.expect(requests.allSatisfy { $0.isDone }, "all requests are done")
  for index in 0..<count {
    checks.expect(rooms[index], Int32(previous * 1000 + index), "request \(index)'s message")
    let (source, tag) = (statuses[index].source, statuses[index].tag)
    checks.expect(source == previous && tag == Int32(index), "request \(index)'s source and tag")
    checks.expect(statuses[index].count, 4, "request \(index)'s length")
  }

  // One by one, by looking.
  var receive = try world.startReceive(
    into: UnsafeMutableRawBufferPointer(rooms), from: previous, tag: 99)
  var send = try world.startSend(UnsafeRawBufferPointer(values), to: next, tag: 99)
  var status: MPIStatus?
  while status == nil { status = try receive.test() }
  checks.expect(status?.count, count * 4, "the length of a receive that was tested")
  checks.expect(receive.isDone, "it is done")
  try send.wait()
}

private func checkCancelling(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  var room: [Int32] = [0]
  try using(&room) { buffer throws(MPIFailure) in
    let bytes = UnsafeMutableRawBufferPointer(buffer)
    var request = try world.startReceive(into: bytes, from: world.rank, tag: 1234)
    let status = try request.test()
    checks.expect(status, nil, "a receive without a message is not done")
    try request.cancel()
    let ended = try request.wait()
    checks.expect(ended.isCancelled, "it is cancelled")
  }
}
