/// The memory of a persistent request, its way, and whether it is under way.
///
/// Under an MPI library it is a persistent request of the library's: one message, header and elements, on the
/// communicator that the library has for these ranks. Else each start is an operation like any other.
final class PersistentMessage {
  /// Room for the header, and for the elements to be aligned.
  private static let headerSpace = 64

  let communicator: Communicator
  private let memory: PersistentMemory
  private let library: MPICollectives?
  private var request = MPIRequest(handle: 0)
  private var operation: Operation?
  private(set) var isUnderWay = false
  private var received: Envelope?

  /// - Parameter prepare: Makes the library's request for header and elements.
  init(
    _ communicator: Communicator, byteCount: Int,
    prepare: (MPICommunicator, UnsafeMutableRawBufferPointer, MPITransport) throws -> MPIRequest
  ) throws {
    self.communicator = communicator
    memory = PersistentMemory(byteCount: Self.headerSpace + byteCount)
    library = communicator.collectives.native
    if let library { request = try library.inside { try prepare($0, whole, $1) } }
  }

  var elements: UnsafeMutableRawBufferPointer { memory.bytes.part(Self.headerSpace..<memory.bytes.count) }

  /// The header, right before the elements, and those.
  private var whole: UnsafeMutableRawBufferPointer {
    memory.bytes.part(Self.headerSpace - MPIHeader.size..<memory.bytes.count)
  }

  /// What the message is, as its receiver sees it.
  var header: MPIHeader {
    get { whole.load(as: MPIHeader.self) }
    set { whole.storeBytes(of: newValue, as: MPIHeader.self) }
  }

  /// The context of messages of persistent requests, which only those receive.
  static func context(_ communicator: Communicator) -> UInt32 { communicator.context + 2 }

  // MARK: Rounds

  func start(_ kind: (UnsafeMutableRawBufferPointer) -> Operation.Kind) throws {
    try check()
    if let library {
      // So that what stands there afterwards has come.
      if case .receive = kind(elements) { whole.storeBytes(of: 0, as: UInt64.self) }
      try library.inside { _, transport in
        try transport.calling { () throws(MPIFailure) in try self.request.start() }
      }
    } else {
      let (memory, elements) = (memory, elements)
      let operation = Operation(kind(elements), keeping: memory) { [weak self] message, source in
        guard message.envelope.count <= elements.count else {
          source.drop(message)
          throw Self.tooLong(message.envelope.count, elements.count)
        }
        if message.envelope.count > 0 {
          try source.take(message, into: elements.baseAddress!)
        } else {
          source.drop(message)
        }
        self?.received = message.envelope
        withExtendedLifetime(memory) {}
      }
      try communicator.transport.start(operation)
      self.operation = operation
    }
    isUnderWay = true
  }

  func check() throws {
    guard isUnderWay else { return }
    throw MessageError(.invalidArgument, "the persistent request is under way: wait for its end first")
  }

  func test() throws -> Bool {
    guard isUnderWay else { return true }
    if let library {
      let isDone = try ending {
        try library.inside { _, transport in
          try transport.progressInside()
          return try transport.calling { () throws(MPIFailure) in try self.request.testBlindly() }
        }
      }
      if isDone { isUnderWay = false }
      return isDone
    }
    if operation!.isDone { return true }
    try communicator.transport.progress()
    return operation!.isDone
  }

  /// Waits for the end of this round. Of a receive, returns what came.
  func wait() throws -> Envelope? {
    defer { (operation, received) = (nil, nil) }
    guard isUnderWay else { return library != nil && header.type != 0 ? try complete() : nil }
    defer { isUnderWay = false }
    if let library {
      try ending { try library.inside { _, transport in try transport.wait(for: &self.request) } }
      return try complete()
    }
    try communicator.transport.wait(for: operation!)
    return received
  }

  /// What came. Open MPI 4 and 5 say that all is well where a persistent receive was too short and over before it was
  /// waited for.
  private func complete() throws -> Envelope {
    let envelope = header.envelope
    guard envelope.count <= elements.count else { throw Self.tooLong(envelope.count, elements.count) }
    return envelope
  }

  /// A round that fails is over too.
  private func ending<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as MessageError {
      guard let failure = error.underlyingError as? MPIFailure else { throw error }
      isUnderWay = false
      throw failure.code == .truncated ? Self.tooLong(nil, elements.count) : error
    }
  }

  private static func tooLong(_ count: Int?, _ room: Int) -> MessageError {
    MessageError(
      .tooLong,
      "the message has \(count.map { "\($0)" } ?? "more") bytes, the persistent request \(room); the message is gone"
    )
  }

  deinit {
    if let library {
      let isFree: Void? = try? library.inside { _, transport in
        if isUnderWay {
          try? request.cancel()
          try? transport.wait(for: &request)
        }
        try? request.free()
      }
      // Else the library may still read or write it.
      if isFree == nil { _ = Unmanaged.passRetained(memory) }
    } else if let operation, !operation.isDone {
      _ = communicator.transport.cancel(operation)
    }
  }
}

/// Outlives its request where somebody else still uses it.
private final class PersistentMemory {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 64)
    // Whatever is read before it is written is a value.
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { bytes.deallocate() }
}

extension MPICollectives {
  /// Calls `body` while no other thread of ours is in the library.
  func inside<R>(_ body: (MPICommunicator, MPITransport) throws -> R) throws -> R {
    try transport.enter()
    defer { transport.leave() }
    return try body(ranks, transport)
  }
}
