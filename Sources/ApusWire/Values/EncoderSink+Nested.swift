import Glibc

/// Containers that are written to in any order.
extension EncoderSink {
  /// A sink for a value at the present position that is written later; `.none` leaves its kind to the value.
  func nested(_ kind: Kind, node: Int, element: Int) -> EncoderSink {
    var child = node
    do {
      child = try session.push(node: node, element: element)
    } catch {
      setPending(error)
    }
    let sink = session.takeSink()
    sink.state.pointee.scope = Scope(serial: session.nextSerial(), node: child)
    if kind != .none { sink.begin(kind) }
    state.pointee.holes.append(Hole(position: count, sink: sink, key: kind == .none ? -1 : element))
    return sink
  }

  /// The nested container that the scope's container already has for `key`, if any. A class and its base may
  /// both write into it, as with Foundation's coders.
  @inline(__always)
  func nestedBefore(_ kind: Kind, key: Int) -> EncoderSink? {
    // Otherwise every key was greater than those before it, so this one is new.
    guard state.pointee.scope.lastKey == .max else { return nil }
    return state.pointee.holes[state.pointee.scope.firstHole...].last {
      $0.key == key && $0.sink.state.pointee.scope.kind == kind
    }?.sink
  }

  /// A sink whose bytes go nowhere, for a container that cannot be made but has to be returned.
  func detached(_ kind: Kind, _ error: any Error) -> EncoderSink {
    setPending(error)
    let sink = session.takeSink()
    // Nobody may write to its containers: no scope has this serial.
    sink.state.pointee.scope = Scope(serial: -1, kind: .single)
    return sink
  }

  private func setPending(_ error: any Error) {
    if session.state.pointee.pending == nil { session.state.pointee.pending = error }
  }

  @inline(never)
  func fillHoles() throws {
    let firstHole = state.pointee.scope.firstHole
    let filled = state.pointee.holes[firstHole...]
    var shift = 0
    for hole in filled {
      try hole.sink.endScope()
      hole.sink.state.pointee.scope.serial = 0
      shift += hole.sink.count
    }
    var end = count
    _ = state.pointee.store.uninitialized(count: shift)
    for hole in filled.reversed() {
      let position = state.pointee.store.base + hole.position
      memmove(position + shift, position, end - hole.position)
      let bytes = hole.sink.state.pointee.store.bytes
      shift -= bytes.count
      memcpy(position + shift, bytes.baseAddress!, bytes.count)
      end = hole.position
    }
    for hole in filled { session.giveBack(hole.sink) }
    state.pointee.holes.removeLast(state.pointee.holes.count - firstHole)
  }
}
