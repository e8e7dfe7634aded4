import ApusWire

// The reductions for asynchronous code; see `Communicator+AsyncCollectives.swift`.
extension Communicator {
  /// Combines the values of all ranks and gives the result to every rank. See the blocking form.
  public func allReduce<T: Codable & Sendable>(
    _ value: T, _ operation: ReduceOperator<T>
  ) async throws -> T {
    try await inTurn { try $0.allReduce(value, operation) }
  }

  /// The same for a plain value.
  public func allReduce<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>) async throws -> T {
    try await inTurn { try $0.allReduce(value, operation) }
  }

  /// The same element by element, for arrays of one length on all ranks.
  public func allReduce<T: RawCodable>(_ values: [T], _ operation: ReduceOperator<T>) async throws -> [T] {
    try await inTurn { try $0.allReduce(values, operation) }
  }

  /// The same element by element, for arrays of values that are encoded.
  public func allReduce<T: Codable & Sendable>(
    _ values: [T], _ operation: ReduceOperator<T>
  ) async throws -> [T] {
    try await inTurn { try $0.allReduce(values, operation) }
  }

  /// Combines the values of all ranks on the root; nil on the others. See the blocking form.
  public func reduce<T: Codable & Sendable>(
    _ value: T, _ operation: ReduceOperator<T>, to root: Int = 0
  ) async throws -> T? {
    try await inTurn { try $0.reduce(value, operation, to: root) }
  }

  /// The same for a plain value.
  public func reduce<T: RawCodable>(
    _ value: T, _ operation: ReduceOperator<T>, to root: Int = 0
  ) async throws -> T? {
    try await inTurn { try $0.reduce(value, operation, to: root) }
  }

  /// The same element by element, for arrays of plain values of one length on all ranks.
  public func reduce<T: RawCodable>(
    _ values: [T], _ operation: ReduceOperator<T>, to root: Int = 0
  ) async throws -> [T]? {
    try await inTurn { try $0.reduce(values, operation, to: root) }
  }

  /// Combines arrays element by element and gives each rank its block of the result. See the blocking form.
  public func reduceScatter<T: RawCodable>(
    _ values: [T], counts: [Int]? = nil, _ operation: ReduceOperator<T>
  ) async throws -> [T] {
    try await inTurn { try $0.reduceScatter(values, counts: counts, operation) }
  }

  /// Combines, for each rank, the values of all ranks up to and including it.
  public func scan<T: Codable & Sendable>(_ value: T, _ operation: ReduceOperator<T>) async throws -> T {
    try await inTurn { try $0.scan(value, operation) }
  }

  /// The same for a plain value.
  public func scan<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>) async throws -> T {
    try await inTurn { try $0.scan(value, operation) }
  }

  /// The same element by element, for arrays of plain values of one length on all ranks.
  public func scan<T: RawCodable>(_ values: [T], _ operation: ReduceOperator<T>) async throws -> [T] {
    try await inTurn { try $0.scan(values, operation) }
  }

  /// Combines, for each rank, the values of all ranks before it; nil on rank 0.
  public func exclusiveScan<T: Codable & Sendable>(
    _ value: T, _ operation: ReduceOperator<T>
  ) async throws -> T? {
    try await inTurn { try $0.exclusiveScan(value, operation) }
  }

  /// The same for a plain value.
  public func exclusiveScan<T: RawCodable>(_ value: T, _ operation: ReduceOperator<T>) async throws -> T? {
    try await inTurn { try $0.exclusiveScan(value, operation) }
  }

  /// The same element by element, for arrays of plain values of one length on all ranks; nil on rank 0.
  public func exclusiveScan<T: RawCodable>(
    _ values: [T], _ operation: ReduceOperator<T>
  ) async throws -> [T]? {
    try await inTurn { try $0.exclusiveScan(values, operation) }
  }

  // MARK: Arrays of values that are encoded

  /// The same element by element, for arrays of values that are encoded. See the blocking form.
  public func reduce<T: Codable & Sendable>(
    _ values: [T], _ operation: ReduceOperator<T>, to root: Int = 0
  ) async throws -> [T]? {
    try await inTurn { try $0.reduce(values, operation, to: root) }
  }

  /// The same for arrays of values that are encoded. See the blocking form.
  public func reduceScatter<T: Codable & Sendable>(
    _ values: [T], counts: [Int]? = nil, _ operation: ReduceOperator<T>
  ) async throws -> [T] {
    try await inTurn { try $0.reduceScatter(values, counts: counts, operation) }
  }

  /// The same element by element, for arrays of values that are encoded. See the blocking form.
  public func scan<T: Codable & Sendable>(
    _ values: [T], _ operation: ReduceOperator<T>
  ) async throws -> [T] {
    try await inTurn { try $0.scan(values, operation) }
  }

  /// The same element by element, for arrays of values that are encoded. See the blocking form.
  public func exclusiveScan<T: Codable & Sendable>(
    _ values: [T], _ operation: ReduceOperator<T>
  ) async throws -> [T]? {
    try await inTurn { try $0.exclusiveScan(values, operation) }
  }
}
