import ApusWire

// The collective operations for asynchronous code; see their blocking forms. They match those of other ranks.
//
// Several of one communicator that are under way at a time go in the order in which they were called on this rank, which
// must be the same on all ranks: so not `async let` for two of them, whose order nobody knows, but one after the other,
// or each on a communicator of its own (`duplicate`). Cancelling the task does not take an operation back: the other
// ranks wait for this one.
extension Communicator {
  /// Returns once every rank has called it. See the blocking form.
  public func barrier() async throws { try await inTurn { try $0.barrier() } }

  /// Gives the root's value to every rank. See the blocking form.
  public func broadcast<T: Codable & Sendable>(_ value: T?, from root: Int = 0) async throws -> T {
    try await inTurn { try $0.broadcast(value, from: root) }
  }

  /// Gives the root's elements to every rank, in place. The memory stays as it is until then. See the blocking form.
  public func broadcast<T: RawCodable>(
    into buffer: UnsafeMutableBufferPointer<T>, from root: Int = 0
  ) async throws {
    // Sound: the caller waits.
    nonisolated(unsafe) let buffer = buffer
    try await inTurn { try $0.broadcast(into: buffer, from: root) }
  }

  /// Gives each rank one of the root's values, in rank order. See the blocking form.
  public func scatter<T: Codable & Sendable>(_ values: [T]?, from root: Int = 0) async throws -> T {
    try await inTurn { try $0.scatter(values, from: root) }
  }

  /// Divides the root's elements among the ranks. See the blocking form.
  public func scatter<T: RawCodable>(
    dividing values: [T]?, counts: [Int]? = nil, from root: Int = 0
  ) async throws -> [T] {
    try await inTurn { try $0.scatter(dividing: values, counts: counts, from: root) }
  }

  /// Collects the values of all ranks on the root, in rank order; nil on the others. See the blocking form.
  public func gather<T: Codable & Sendable>(_ value: T, to root: Int = 0) async throws -> [T]? {
    try await inTurn { try $0.gather(value, to: root) }
  }

  /// Collects the elements of all ranks on the root; nil on the others. See the blocking form.
  public func gather<T: RawCodable>(concatenating values: [T], to root: Int = 0) async throws -> [T]? {
    try await inTurn { try $0.gather(concatenating: values, to: root) }
  }

  /// Gives every rank the values of all ranks, in rank order. See the blocking form.
  public func allGather<T: Codable & Sendable>(_ value: T) async throws -> [T] {
    try await inTurn { try $0.allGather(value) }
  }

  /// Gives every rank the elements of all ranks, in rank order. See the blocking form.
  public func allGather<T: RawCodable>(concatenating values: [T]) async throws -> [T] {
    try await inTurn { try $0.allGather(concatenating: values) }
  }

  /// Sends block r of `values` to rank r, and writes what rank s sent here to block s of `result`, which stays as it is
  /// until then. See the blocking form.
  public func allToAll<T: RawCodable>(
    _ values: [T], into result: UnsafeMutableBufferPointer<T>
  ) async throws {
    // Sound: the caller waits.
    nonisolated(unsafe) let result = result
    try await inTurn { try $0.allToAll(values, into: result) }
  }

  /// Sends `values[r]` to rank r, and returns what each rank sent here. See the blocking form.
  public func allToAll<T: Codable & Sendable>(_ values: [T]) async throws -> [T] {
    try await inTurn { try $0.allToAll(values) }
  }

  /// Divides the elements among the ranks, and returns those that all sent here. See the blocking form.
  public func allToAll<T: RawCodable>(dividing values: [T], counts: [Int]? = nil) async throws -> [T] {
    try await inTurn { try $0.allToAll(dividing: values, counts: counts) }
  }

  /// Divides the ranks into communicators of their own. See the blocking form.
  public func split(color: Int?, key: Int = 0) async throws -> Communicator? {
    try await inTurn { try $0.split(color: color, key: key) }
  }

  /// The same ranks once more, with messages that meet none of this communicator's. See the blocking form.
  public func duplicate() async throws -> Communicator { try await inTurn { try $0.duplicate() } }

  func inTurn<R: Sendable>(_ body: @escaping @Sendable (Communicator) throws -> R) async throws -> R {
    try await turns.run(share: progress.share) { try body(self) }
  }
}
