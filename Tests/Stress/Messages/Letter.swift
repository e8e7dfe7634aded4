import Apus
import Glibc
import StressSupport

/// A message that one rank sends and another one receives, each in its way.
struct Letter: Sendable {
  enum Sending: CaseIterable { case blocking, request }
  enum Receiving: CaseIterable {
    case plain, withStatus, request, tested, probed, polled, intoBuffer, wrongType, tooShort
  }
  enum Selection: CaseIterable { case exact, anyTag, anySource }

  let from, to, tag: Int
  let kind, size: Int
  let sending: Sending
  let receiving: Receiving
  let selection: Selection
  let key: UInt64

  private var source: any RankSelection { selection == .anySource ? AnyRankOrTag.any : from }
  private var wantedTag: any TagSelection { selection == .anyTag ? AnyRankOrTag.any : tag }

  func value<T: Made>(_ type: T.Type) -> T {
    var random = Random(key)
    return T.make(&random, size: size)
  }

  // MARK: Sending

  /// Sends it, or starts to; then there is something left to do.
  func send(_ communicator: Communicator) throws -> (() throws -> Void)? {
    try send(kinds[kind], communicator)
  }

  private func send<T: Made>(_ type: T.Type, _ communicator: Communicator) throws -> (() throws -> Void)? {
    let value = value(type)
    switch sending {
    case .blocking:
      try communicator.send(value, to: to, tag: tag)
      return nil
    case .request:
      let request = try communicator.startSend(value, to: to, tag: tag)
      return { try expect(request.wait(), value, "sent") }
    }
  }

  // MARK: Receiving

  /// Receives it, or starts to; then there is something left to do.
  func receive(_ communicator: Communicator) throws -> (() throws -> Void)? {
    try receive(kinds[kind], communicator)
  }

  private func receive<T: Made>(_ type: T.Type, _ communicator: Communicator) throws -> (() throws -> Void)? {
    let wanted = value(type)
    switch receiving {
    case .plain: try expect(communicator.receive(type, from: source, tag: wantedTag), wanted)
    case .withStatus:
      let (value, status) = try communicator.receiveWithStatus(type, from: source, tag: wantedTag)
      try expect(value, wanted)
      try check(status, wanted)
    case .request, .tested:
      let request = try communicator.startReceive(type, from: source, tag: wantedTag)
      return {
        if receiving == .tested { while try !request.test() { sched_yield() } }
        try expect(request.wait(), wanted)
        try check(request.status, wanted)
      }
    case .probed:
      let status = try communicator.probe(from: source, tag: wantedTag)
      try check(status)
      try expect(communicator.receive(type, from: status.source, tag: status.tag), wanted)
    case .polled:
      var status: MessageStatus?
      while status == nil {
        status = try communicator.probeIfAny(from: source, tag: wantedTag)
        if status == nil { sched_yield() }
      }
      try check(status)
      try expect(communicator.receive(type, from: source, tag: wantedTag), wanted)
    case .wrongType:
      try expect(.typeMismatch) {
        _ = try communicator.receive([String: Int].self, from: source, tag: wantedTag)
      }
    case .intoBuffer, .tooShort:
      if type == [UInt8].self, let bytes = wanted as? [UInt8] { return try receive(bytes, communicator) }
      if type == [Double].self, let numbers = wanted as? [Double] {
        return try receive(numbers, communicator)
      }
      try expect(communicator.receive(type, from: source, tag: wantedTag), wanted)
    }
    return nil
  }

  private func receive<T: Made & RawCodable>(_ wanted: [T], _ communicator: Communicator) throws -> (
    () throws -> Void
  )? {
    let isTooShort = receiving == .tooShort && !wanted.isEmpty
    var random = Random(~key)
    let count = isTooShort ? random.below(wanted.count) : wanted.count + random.below(3)
    var buffer = T.many(&random, count: count)
    let before = buffer
    try buffer.withUnsafeMutableBufferPointer { memory in
      if isTooShort {
        try expect(.tooLong) { _ = try communicator.receive(into: memory, from: source, tag: wantedTag) }
      } else {
        try check(communicator.receive(into: memory, from: source, tag: wantedTag), wanted)
      }
    }
    try expect(buffer, isTooShort ? before : wanted + before[wanted.count...], "buffer")
    return nil
  }

  private func check<T: Made>(_ status: MessageStatus?, _ wanted: T? = Int?.none) throws {
    try expect(status?.source, from, "source")
    try expect(status?.tag, tag, "tag")
    // Of any type an empty array is one of any other as well.
    if T.self == [UInt8].self, let bytes = wanted as? [UInt8] {
      try expect(status?.count, bytes.count, "count")
    }
    if T.self == [Double].self, let all = wanted as? [Double] {
      try expect(status?.byteCount, all.count * 8, "bytes")
    }
  }

  // MARK: Awaiting

  func sendAwaiting(_ communicator: Communicator) async throws {
    func send<T: Made>(_ type: T.Type) async throws {
      try await communicator.send(value(type), to: to, tag: tag)
    }
    try await send(kinds[kind])
  }

  func receiveAwaiting(_ communicator: Communicator) async throws {
    func receive<T: Made>(_ type: T.Type) async throws {
      let (value, status) = try await communicator.receiveWithStatus(type, from: source, tag: wantedTag)
      try expect(value, self.value(type))
      try check(status)
    }
    try await receive(kinds[kind])
  }
}
