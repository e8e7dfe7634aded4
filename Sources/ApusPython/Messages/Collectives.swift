import ApusMessages
import ApusWire
public import CApusPython

// Values travel with their kind in front. On the other side `room` is called for each, in rank order.

/// Returns once every rank has called it.
@c(apus_py_barrier)
public func barrier(_ ranks: UnsafeMutableRawPointer, _ problem: UnsafeMutablePointer<apus_py_problem>)
  -> Int32
{ calling(problem) { try communicator(ranks).barrier() } }

/// Gives the root's value to all others. `value` is null on them.
@c(apus_py_broadcast)
public func broadcast(
  _ ranks: UnsafeMutableRawPointer, _ value: UnsafePointer<apus_py_value>?, _ root: Int64, _ room: Room,
  _ context: UnsafeMutableRawPointer?, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let buffer = framed(value)
    try communicator(ranks).broadcast(bytesIn: buffer, from: Int(root))
    if value == nil { try deliver(buffer, from: Int(root), room, context) }
  }
}

/// Gives the root's memory to all others, in place.
@c(apus_py_broadcast_memory)
public func broadcastMemory(
  _ ranks: UnsafeMutableRawPointer, _ memory: UnsafeMutableRawPointer?, _ count: UInt64, _ root: Int64,
  _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    try communicator(ranks).broadcast(
      memory: UnsafeMutableRawBufferPointer(start: memory, count: Int(count)), from: Int(root))
  }
}

/// Gives each rank one of the root's values, as many as there are ranks. `values` is looked at on the root alone.
@c(apus_py_scatter)
public func scatter(
  _ ranks: UnsafeMutableRawPointer, _ values: UnsafePointer<apus_py_value>?, _ root: Int64, _ room: Room,
  _ context: UnsafeMutableRawPointer?, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let ranks = communicator(ranks)
    let mine = try ranks.scatter(bytesIn: pieces(values, ranks.size), from: Int(root))
    try deliver(mine, from: Int(root), room, context)
  }
}

/// Collects the values of all ranks on the root.
@c(apus_py_gather)
public func gather(
  _ ranks: UnsafeMutableRawPointer, _ value: UnsafePointer<apus_py_value>, _ root: Int64, _ room: Room,
  _ context: UnsafeMutableRawPointer?, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let mine = framed(value)
    let pieces = try communicator(ranks).gather(bytes: mine.bytes, to: Int(root))
    withExtendedLifetime(mine) {}
    try pieces.map { try deliver($0, room, context) }
  }
}

/// Collects the values of all ranks on every rank.
@c(apus_py_allgather)
public func allGather(
  _ ranks: UnsafeMutableRawPointer, _ value: UnsafePointer<apus_py_value>, _ room: Room,
  _ context: UnsafeMutableRawPointer?, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let mine = framed(value)
    let pieces = try communicator(ranks).allGather(bytes: mine.bytes)
    withExtendedLifetime(mine) {}
    try deliver(pieces, room, context)
  }
}

/// Sends a value to each rank, and takes what each sent here.
@c(apus_py_alltoall)
public func allToAll(
  _ ranks: UnsafeMutableRawPointer, _ values: UnsafePointer<apus_py_value>, _ room: Room,
  _ context: UnsafeMutableRawPointer?, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let ranks = communicator(ranks)
    try deliver(ranks.allToAll(bytesIn: pieces(values, ranks.size)), room, context)
  }
}

// MARK: Values with their kind

private let kindSize = MemoryLayout<UInt64>.size

private func append(_ value: apus_py_value, to buffer: ByteBuffer) {
  buffer.append(value.kind)
  buffer.append(contentsOf: bytes(of: value))
}

private func framed(_ value: UnsafePointer<apus_py_value>?) -> ByteBuffer {
  guard let value = value?.pointee else { return ByteBuffer() }
  let buffer = ByteBuffer(capacity: kindSize + Int(value.count))
  append(value, to: buffer)
  return buffer
}

/// Nothing without values: the collective operation itself says that they are missing, to all.
private func pieces(_ values: UnsafePointer<apus_py_value>?, _ count: Int) -> Pieces {
  var pieces = Pieces()
  guard let values else { return pieces }
  for index in 0..<count { pieces.append { append(values[index], to: $0) } }
  return pieces
}

private func deliver(_ pieces: Pieces, _ room: Room, _ context: UnsafeMutableRawPointer?) throws {
  for rank in pieces.ranges.indices { try deliver(pieces[rank], from: rank, room, context) }
}

private func deliver(
  _ value: ByteBuffer, from source: Int, _ room: Room, _ context: UnsafeMutableRawPointer?
) throws {
  try deliver(value.bytes, from: source, room, context)
  withExtendedLifetime(value) {}
}

private func deliver(
  _ value: UnsafeRawBufferPointer, from source: Int, _ room: Room, _ context: UnsafeMutableRawPointer?
) throws {
  guard value.count >= kindSize else {
    throw MessageError(.transport, "what came from rank \(source) is no value of Python's", rank: source)
  }
  let count = value.count - kindSize
  var message = apus_py_message(
    source: Int64(source), tag: 0, kind: value.loadUnaligned(as: UInt64.self), count: UInt64(count))
  guard let place = room(context, &message) else { throw Refused() }
  if count > 0 { place.copyMemory(from: value.baseAddress! + kindSize, byteCount: count) }
}
