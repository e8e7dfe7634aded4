import Glibc

/// Where the bytes of a value go.
///
/// Values are written straight through: `encode(to:)` of a nested value runs between the beginning and the end
/// of its *scope*, and the scope's length is put in front at its end. Only the containers that a type makes
/// with `nestedContainer` and `superEncoder` can be written to in any order, interleaved with their parent.
/// Each of those has a sink of its own, which leaves a *hole* in the parent; when the scope that made them
/// ends, they can no longer change and are put into their holes.
final class EncoderSink {
  enum Kind { case none, single, keyed, unkeyed }

  /// The value that is being written. `serial` makes it known to its containers: one that is written to while
  /// another scope is open, or after its own has ended, throws and does not corrupt the message.
  struct Scope {
    var serial = 0
    var start = 0
    var kind = Kind.none
    var node = 0
    var count = 0
    var firstHole = 0
  }

  private struct Hole {
    let position: Int
    let sink: EncoderSink
  }

  let session: EncoderSession
  // Exclusivity of the hot properties is not checked at run time: it costs as much as writing a field does. No
  // access to them spans a call that could reach them again.
  @exclusivity(unchecked) var buffer: ByteBuffer
  @exclusivity(unchecked) var scope = Scope()
  @exclusivity(unchecked) private var holes: [Hole] = []

  init(session: EncoderSession, buffer: ByteBuffer) {
    self.session = session
    self.buffer = buffer
  }

  // MARK: Values

  /// Writes `value`, found at `element` of `node`. What is left in the buffer on an error is the caller's.
  func encode<T: Encodable>(_ value: T, node: Int, element: Int) throws {
    let facts = TypeFacts.of(T.self)
    switch facts.pointee.kind {
    case .int, .int64: write(unsafeBitCast(value, to: Int.self))
    case .int8: write(unsafeBitCast(value, to: Int8.self))
    case .int16: write(unsafeBitCast(value, to: Int16.self))
    case .int32: write(unsafeBitCast(value, to: Int32.self))
    case .int128: write(unsafeBitCast(value, to: Int128.self))
    case .uint, .uint64: write(unsafeBitCast(value, to: UInt.self))
    case .uint8: write(unsafeBitCast(value, to: UInt8.self))
    case .uint16: write(unsafeBitCast(value, to: UInt16.self))
    case .uint32: write(unsafeBitCast(value, to: UInt32.self))
    case .uint128: write(unsafeBitCast(value, to: UInt128.self))
    case .float: write(unsafeBitCast(value, to: Float.self))
    case .double: write(unsafeBitCast(value, to: Double.self))
    case .bool: write(unsafeBitCast(value, to: Bool.self))
    case .string:
      withUnsafePointer(to: value) { pointer in
        write(UnsafeRawPointer(pointer).assumingMemoryBound(to: String.self).pointee)
      }
    case .raw:
      write(tag: .raw)
      write(varint: facts.pointee.size)
      withUnsafeBytes(of: value) { buffer.append(contentsOf: $0) }
    case .rawArray:
      withUnsafePointer(to: value) { write(rawArray: facts.pointee.rawArray!, at: $0) }
    case .data:
      withUnsafePointer(to: value) { write(data: facts.pointee.data!, at: $0) }
    case .optional:
      guard let optional = facts.pointee.encodableOptional else { fallthrough }
      try withUnsafePointer(to: value) { try optional.encode(at: $0, to: self, node: node, element: element) }
    case .coded:
      try encodeScope(of: value, node: node, element: element)
    }
  }

  private func encodeScope<T: Encodable>(of value: T, node: Int, element: Int) throws {
    let child = try session.push(node: node, element: element)
    let outer = scope
    scope = Scope(
      serial: session.nextSerial(), start: buffer.count, node: child, firstHole: holes.count)
    defer {
      scope = outer
      session.pop(to: child)
    }
    do {
      try value.encode(to: WireEncoder(sink: self, serial: scope.serial, node: child))
      try endScope()
    } catch {
      holes.removeLast(holes.count - scope.firstHole)
      throw error
    }
  }

  // MARK: Scopes

  /// Opens the scope's container. A second one of the same kind is the same container, as a subclass needs.
  /// Returns the serial that the container may write with: 0, which is nobody's, after a misuse.
  func open(_ kind: Kind, serial: Int) -> Int {
    guard scope.serial == serial else { return misuse("its encoder was used after its encode(to:)", serial) }
    if scope.kind == kind { return serial }
    guard scope.kind == .none else {
      return misuse("its encode(to:) asked for containers of two kinds", serial)
    }
    begin(kind)
    return serial
  }

  private func begin(_ kind: Kind) {
    scope.kind = kind
    write(tag: kind == .keyed ? .keyed : .unkeyed)
    buffer.append(UInt32(0))
  }

  private func misuse(_ detail: String, _ serial: Int) -> Int {
    if session.pending == nil {
      session.pending = WireError(
        .misuse, type: Any.self, codingPath: session.path(scope.node), detail: detail)
    }
    return 0
  }

  private func endScope() throws {
    if let error = session.pending { throw error }
    if holes.count > scope.firstHole { try fillHoles() }
    switch scope.kind {
    case .none: write(tag: .empty)
    case .single: break
    case .keyed, .unkeyed: patchLength()
    }
  }

  private func patchLength() {
    let content = scope.start + 5
    let length = buffer.count - content
    if let short = UInt32(exactly: length) {
      (buffer.baseAddress + (scope.start + 1)).storeBytes(of: short.littleEndian, as: UInt32.self)
      return
    }
    _ = buffer.uninitialized(count: 4)
    let start = buffer.baseAddress + scope.start
    memmove(start + 9, start + 5, length)
    start.storeBytes(
      of: (scope.kind == .keyed ? WireTag.longKeyed : .longUnkeyed).rawValue, as: UInt8.self)
    (start + 1).storeBytes(of: UInt64(length).littleEndian, as: UInt64.self)
  }

  /// A sink for a value at the present position that is written later; `.none` leaves its kind to the value.
  func nested(_ kind: Kind, node: Int, element: Int) -> EncoderSink {
    var child = node
    do {
      child = try session.push(node: node, element: element)
    } catch {
      session.pending = session.pending ?? error
    }
    let sink = session.takeSink()
    sink.scope = Scope(serial: session.nextSerial(), node: child)
    if kind != .none { sink.begin(kind) }
    holes.append(Hole(position: buffer.count, sink: sink))
    return sink
  }

  /// A sink whose bytes go nowhere, for a container that cannot be made but has to be returned.
  func detached(_ kind: Kind, _ error: any Error) -> EncoderSink {
    session.pending = session.pending ?? error
    let sink = EncoderSink(session: session, buffer: ByteBuffer())
    // Its containers may not be written to: nobody else's serial.
    sink.scope = Scope(serial: -1, kind: .single)
    return sink
  }

  private func fillHoles() throws {
    let filled = holes[scope.firstHole...]
    var shift = 0
    for hole in filled {
      try hole.sink.endScope()
      hole.sink.scope.serial = 0
      shift += hole.sink.buffer.count
    }
    var end = buffer.count
    _ = buffer.uninitialized(count: shift)
    for hole in filled.reversed() {
      let position = buffer.baseAddress + hole.position
      memmove(position + shift, position, end - hole.position)
      let bytes = hole.sink.buffer.bytes
      shift -= bytes.count
      memcpy(position + shift, bytes.baseAddress!, bytes.count)
      end = hole.position
    }
    for hole in filled { session.giveBack(hole.sink) }
    holes.removeLast(holes.count - scope.firstHole)
  }

  /// Throws unless the scope `serial` may be written to now.
  @inline(__always)
  func check(_ serial: Int) throws {
    if scope.serial != serial { throw stale() }
  }

  @inline(never)
  private func stale() -> any Error {
    session.pending
      ?? WireError(
        .misuse, type: Any.self,
        detail: "a container was written to outside the encode(to:) that made it, or while another value"
          + " was being encoded into it")
  }
}
