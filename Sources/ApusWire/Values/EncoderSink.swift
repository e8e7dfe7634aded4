import Glibc

/// Where the bytes of a value go.
///
/// Values are written straight through: `encode(to:)` of a nested value runs between the beginning and the end
/// of its *scope*, and the scope's length is put in front at its end. Only the containers that a type makes
/// with `nestedContainer` and `superEncoder` can be written to in any order, interleaved with their parent.
/// Each of those has a sink of its own, which leaves a *hole* in the parent; when the scope that made them
/// ends, they can no longer change and are put into their holes.
struct EncoderSink {
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
    /// The greatest key number so far, `.max` once one came that was not greater: only then can a key have come twice.
    var lastKey = -1
  }

  struct Hole {
    let position: Int
    let sink: EncoderSink
    /// For a nested container in a keyed one the number of its key; else a number that no key has.
    let key: Int
  }

  struct State {
    let session: EncoderSession
    var store: ByteStore
    var scope = Scope()
    var holes: [Hole] = []
  }

  // Like its session's, never freed.
  let state: UnsafeMutablePointer<State>

  init(session: EncoderSession, _ store: ByteStore) {
    state = .allocate(capacity: 1)
    state.initialize(to: State(session: session, store: store))
  }

  @inline(__always)
  var session: EncoderSession { state.pointee.session }

  @inline(__always)
  var count: Int { state.pointee.store.count }

  /// Makes it nobody's, and empty.
  func reset() {
    state.pointee.scope = Scope()
    state.pointee.store.reset(keeping: 4096)
    state.pointee.holes.removeAll()
  }

  /// Drops what was written since there were `count` bytes.
  func truncate(to count: Int) { state.pointee.store.truncate(to: count) }

  // MARK: Values

  /// Writes `value`, found at `element` of `node`. What is left in the store on an error is the caller's.
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
    case .string: write(unsafeBitCast(value, to: String.self))
    case .raw:
      write(tag: .raw)
      write(varint: facts.pointee.size)
      withUnsafeBytes(of: value) { state.pointee.store.append(contentsOf: $0) }
    case .rawArray:
      if let words = facts.pointee.words {
        // Sound: an array of other words differs in nothing but its type.
        write(words: unsafeBitCast(value, to: [UInt64].self), ElementCode(words))
      } else {
        withUnsafePointer(to: value) { write(rawArray: facts.pointee.rawArray!, at: $0) }
      }
    case .data:
      withUnsafePointer(to: value) { write(data: facts.pointee.data!, at: $0) }
    case .optional:
      guard let optional = facts.pointee.encodableOptional else { fallthrough }
      try withUnsafePointer(to: value) { try optional.encode(at: $0, to: self, node: node, element: element) }
    case .coded:
      try encodeScope(of: value, node: node, element: element)
    }
  }

  @inline(__always)
  private func encodeScope<T: Encodable>(of value: T, node: Int, element: Int) throws {
    let child = try session.push(node: node, element: element)
    let outer = state.pointee.scope
    let serial = session.nextSerial()
    let firstHole = state.pointee.holes.count
    state.pointee.scope = Scope(serial: serial, start: count, node: child, firstHole: firstHole)
    defer {
      state.pointee.scope = outer
      session.pop(to: child)
    }
    do {
      try value.encode(to: WireEncoder(sink: self, serial: serial, node: child))
      try endScope()
    } catch {
      state.pointee.holes.removeLast(state.pointee.holes.count - firstHole)
      throw error
    }
  }

  // MARK: Scopes

  /// Opens the scope's container. A second one of the same kind is the same container, as a subclass needs.
  /// Returns the serial that the container may write with: 0, which is nobody's, after a misuse.
  @inline(__always)
  func open(_ kind: Kind, serial: Int) -> Int {
    if state.pointee.scope.serial == serial, state.pointee.scope.kind == .none {
      begin(kind)
      return serial
    }
    return openAgain(kind, serial)
  }

  @inline(never)
  private func openAgain(_ kind: Kind, _ serial: Int) -> Int {
    guard state.pointee.scope.serial == serial else {
      return misuse("its encoder was used after its encode(to:)", serial)
    }
    guard state.pointee.scope.kind == kind else {
      return misuse("its encode(to:) asked for containers of two kinds", serial)
    }
    return serial
  }

  @inline(__always)
  func begin(_ kind: Kind) {
    state.pointee.scope.kind = kind
    state.pointee.store.reserve(5)
    write(tag: kind == .keyed ? .keyed : .unkeyed)
    state.pointee.store.append(UInt32(0))
  }

  private func misuse(_ detail: String, _ serial: Int) -> Int {
    if session.state.pointee.pending == nil {
      session.state.pointee.pending = WireError(
        .misuse, type: Any.self, codingPath: session.path(state.pointee.scope.node), detail: detail)
    }
    return 0
  }

  @inline(__always)
  func endScope() throws {
    if let error = session.state.pointee.pending { throw error }
    if state.pointee.holes.count > state.pointee.scope.firstHole { try fillHoles() }
    switch state.pointee.scope.kind {
    case .none: write(tag: .empty)
    case .single: break
    case .keyed:
      if state.pointee.scope.lastKey == .max { try dropRepeatedKeys() }
      patchLength()
    case .unkeyed: patchLength()
    }
  }

  @inline(__always)
  private func patchLength() {
    let start = state.pointee.scope.start
    let length = count - (start + 5)
    if let short = UInt32(exactly: length) {
      (state.pointee.store.base + (start + 1)).storeBytes(of: short.littleEndian, as: UInt32.self)
    } else {
      patchLong(start, length)
    }
  }

  @inline(never)
  private func patchLong(_ start: Int, _ length: Int) {
    _ = state.pointee.store.uninitialized(count: 4)
    let start = state.pointee.store.base + start
    memmove(start + 9, start + 5, length)
    start.storeBytes(
      of: (state.pointee.scope.kind == .keyed ? WireTag.longKeyed : .longUnkeyed).rawValue, as: UInt8.self)
    (start + 1).storeBytes(of: UInt64(length).littleEndian, as: UInt64.self)
  }

  /// Throws unless the scope `serial` may be written to now.
  @inline(__always)
  func check(_ serial: Int) throws {
    if state.pointee.scope.serial != serial { throw stale() }
  }

  @inline(never)
  private func stale() -> any Error {
    session.state.pointee.pending
      ?? WireError(
        .misuse, type: Any.self,
        detail: "a container was written to outside the encode(to:) that made it, or while another value"
          + " was being encoded into it")
  }
}
