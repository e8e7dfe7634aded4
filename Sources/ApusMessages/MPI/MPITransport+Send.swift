import ApusCore

extension MPITransport {
  func send(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int) throws {
    try enter()
    defer { leave() }
    if destination == rank { return keep(bytes, envelope) }
    if bytes.count <= Self.shortLimit, mayBlock {
      let count = assemble(bytes, envelope, at: departure)
      return try calling { () throws(MPIFailure) in
        try headers.send(
          UnsafeRawBufferPointer(start: departure, count: count), to: destination, tag: envelope.tag)
      }
    }
    if mayBlock {
      var header = MPIHeader(
        type: envelope.type, count: UInt64(bytes.count), context: envelope.context,
        payloadTag: takeTag(destination))
      return try calling { () throws(MPIFailure) in
        try withUnsafeBytes(of: &header) { (bytes) throws(MPIFailure) in
          try headers.send(bytes, to: destination, tag: envelope.tag)
        }
        try payloads.send(bytes, to: destination, tag: header.payloadTag)
      }
    }
    let operation = Operation(.send(bytes: bytes, envelope: envelope, destination: destination))
    try startSend(operation, bytes, envelope, to: destination)
    try waitInside(for: operation)
  }

  /// A message to ourselves: never waits.
  private func keep(_ bytes: UnsafeRawBufferPointer, _ envelope: Envelope) {
    let copy = ByteBuffer(capacity: bytes.count)
    copy.append(contentsOf: bytes)
    mailbox.settle(IncomingMessage(envelope: envelope, place: .stored(copy)), MPIInside(self))
  }

  /// Writes a short message, header first. Returns its length.
  private func assemble(
    _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, at place: UnsafeMutableRawPointer
  ) -> Int {
    place.storeBytes(
      of: MPIHeader(
        type: envelope.type, count: UInt64(bytes.count), context: envelope.context, payloadTag: -1),
      as: MPIHeader.self)
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

  func startSend(
    _ operation: Operation, _ bytes: UnsafeRawBufferPointer, _ envelope: Envelope, to destination: Int
  ) throws {
    if destination == rank {
      keep(bytes, envelope)
      return mailbox.finish(operation)
    }
    let isShort = bytes.count <= Self.shortLimit
    let header = UnsafeMutableRawPointer.allocate(
      byteCount: MPIHeader.size + (isShort ? bytes.count : 0), alignment: 16)
    let send = MPISend(operation, header: header, requests: [])
    var count = MPIHeader.size
    let tag = isShort ? -1 : takeTag(destination)
    if isShort {
      count = assemble(bytes, envelope, at: header)
    } else {
      header.storeBytes(
        of: MPIHeader(
          type: envelope.type, count: UInt64(bytes.count), context: envelope.context, payloadTag: tag),
        as: MPIHeader.self)
    }
    try calling { () throws(MPIFailure) in
      send.requests.append(
        try headers.startSend(
          UnsafeRawBufferPointer(start: header, count: count), to: destination, tag: envelope.tag))
    }
    // From here on the library reads the header: the send is kept whatever happens.
    sends.append(send)
    if !isShort {
      try calling { () throws(MPIFailure) in
        send.requests.append(try payloads.startSend(bytes, to: destination, tag: tag))
      }
    }
    try advanceSends()
  }

  /// Ends the sends whose bytes the library has taken.
  func advanceSends() throws {
    if sends.isEmpty { return }
    var over: [MPISend] = []
    for send in sends {
      try calling { () throws(MPIFailure) in
        for index in send.requests.indices where !send.requests[index].isDone {
          _ = try send.requests[index].test()
        }
      }
      if send.requests.allSatisfy(\.isDone) { over.append(send) }
    }
    guard !over.isEmpty else { return }
    sends.removeAll { send in over.contains { $0 === send } }
    for send in over { mailbox.finish(send.operation) }
  }
}
