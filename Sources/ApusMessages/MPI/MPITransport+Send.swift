import ApusWire

extension MPITransport {
  func send(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) throws {
    try enter()
    defer { leave() }
    guard mayBlock, destination != rank else { return try sendAmongOthers(bytes, envelope, to: destination) }
    if let tag = shortHeader.tag(of: envelope) {
      return try calling { () throws(MPIFailure) in try headers.send(bytes, to: destination, tag: tag) }
    }
    if bytes.count <= Self.shortLimit {
      let count = assemble(bytes, envelope, at: departure)
      return try calling { () throws(MPIFailure) in
        try headers.send(
          UnsafeRawBufferPointer(start: departure, count: count), to: destination, tag: MPIShortHeader.none)
      }
    }
    var header = MPIHeader(envelope, payloadTag: takeTag(destination))
    try calling { () throws(MPIFailure) in
      try withUnsafeBytes(of: &header) { (bytes) throws(MPIFailure) in
        try headers.send(bytes, to: destination, tag: MPIShortHeader.none)
      }
      try payloads.send(bytes, to: destination, tag: header.payloadTag)
    }
  }

  @inline(never)
  private func sendAmongOthers(
    _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int
  ) throws {
    let operation = Operation(.send(bytes: bytes, envelope: envelope, destination: destination))
    try startSend(operation, bytes, envelope, to: destination)
    try waitInside(for: operation)
  }

  /// Writes a short message, header first. Returns its length.
  @inline(__always)
  private func assemble(
    _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, at place: UnsafeMutableRawPointer
  ) -> Int {
    place.storeBytes(of: MPIHeader(envelope, payloadTag: -1), as: MPIHeader.self)
    if let base = bytes.baseAddress {
      (place + MPIHeader.size).copyMemory(from: base, byteCount: bytes.count)
    }
    return MPIHeader.size + bytes.count
  }

  private func takeTag(_ destination: Int) -> Int32 {
    let tag = nextTag[destination]
    nextTag[destination] = tag == tagLimit ? 0 : tag + 1
    return tag
  }

  // MARK: Sends that go on

  /// Throws if nothing was sent; all that goes wrong later is the operation's own error.
  func startSend(
    _ operation: Operation, _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int
  ) throws {
    if destination == rank {
      // To ourselves: never waits.
      let copy = ByteBuffer(capacity: bytes.count)
      copy.append(contentsOf: bytes)
      mailbox.settle(IncomingMessage(envelope: envelope, place: .stored(copy)), MPIInside(self))
      return mailbox.finish(operation)
    }
    let isShort = bytes.count <= Self.shortLimit
    let send = MPISend(operation, count: MPIHeader.size + (isShort ? bytes.count : 0))
    let tag = isShort ? -1 : takeTag(destination)
    if isShort {
      _ = assemble(bytes, envelope, at: send.memory.baseAddress!)
    } else {
      send.memory.storeBytes(of: MPIHeader(envelope, payloadTag: tag), as: MPIHeader.self)
    }
    try calling { () throws(MPIFailure) in
      send.requests.append(
        try headers.startSend(
          UnsafeRawBufferPointer(send.memory), to: destination, tag: MPIShortHeader.none))
    }
    // From here on the library reads the header: the send is kept whatever happens.
    sends.append(send)
    if !isShort {
      do {
        try calling { () throws(MPIFailure) in
          send.requests.append(try payloads.startSend(bytes, to: destination, tag: tag))
        }
      } catch { send.problem = error }
    }
    advanceSends()
  }

  /// Ends the sends whose bytes the library has done with, each with its own error.
  func advanceSends() {
    if sends.isEmpty { return }
    for send in sends {
      for index in send.requests.indices where !send.requests[index].isDone {
        do { try calling { () throws(MPIFailure) in _ = try send.requests[index].test() } } catch {
          send.problem = error
        }
      }
    }
    let over = sends.filter(\.isOver)
    if over.isEmpty { return }
    sends.removeAll(where: \.isOver)
    for send in over { mailbox.finish(send.operation, send.problem) }
  }
}

/// A send that was started and is not over.
final class MPISend {
  let operation: Operation
  /// The header, and the bytes of a short message.
  let memory: UnsafeMutableRawBufferPointer
  var requests: [MPIRequest] = []
  var problem: (any Error)?

  init(_ operation: Operation, count: Int) {
    self.operation = operation
    memory = .allocate(byteCount: count, alignment: 16)
  }

  /// A request that has failed is done too: the library has given it up.
  var isOver: Bool { requests.allSatisfy(\.isDone) }

  deinit { memory.deallocate() }
}
