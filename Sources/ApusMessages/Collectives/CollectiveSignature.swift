import ApusWire

/// A call of a collective operation, as ranks compare it in debug builds.
struct CollectiveSignature: RawCodable, Equatable {
  var call: Int32
  var root: Int32
  /// Of a reduction with a standard operator, which; else -1.
  var operation: Int
  var type: UInt64
  /// The number of elements, or -1 where ranks may differ in it.
  var count: Int

  func describe() -> String {
    let name = CollectiveCall(rawValue: call).map { "\($0)" } ?? "an unknown operation"
    var arguments = [String]()
    if type != 0 { arguments.append(TypeCode.name(of: type)) }
    // Of another rank: it may be anything.
    if MPIReduction.names.indices.contains(operation) { arguments.append(MPIReduction.names[operation]) }
    if root >= 0 { arguments.append("root \(root)") }
    if count >= 0 { arguments.append("\(count) elements") }
    return arguments.isEmpty ? name : "\(name) (\(arguments.joined(separator: ", ")))"
  }
}

extension Communicator {
  /// Runs a collective operation. In debug builds the ranks first compare what they call.
  func collective<T, R>(
    _ call: CollectiveCall, _ type: T.Type, root: Int? = nil, operation: Int? = nil, count: Int? = nil,
    _ body: (CollectiveOperations, _ tag: Int32) throws -> R
  ) throws -> R {
    let hasTurn = try turns.begin()
    defer { if hasTurn { turns.end() } }
    collectives.messages.begin()
    #if DEBUG
      try compare(
        CollectiveSignature(
          call: call.rawValue, root: Int32(clamping: root ?? -1), operation: operation ?? -1,
          type: TypeCode.of(type), count: count ?? -1))
    #endif
    do {
      if let root, !(0..<size).contains(root) {
        throw MessageError(
          .invalidArgument,
          "there is no rank \(root) to be the root: this communicator has the ranks 0 to \(size - 1)")
      }
      return try body(collectives, call.rawValue)
    } catch {
      let error = ofCollective(error)
      collectives.messages.giveUp(error, tag: call.rawValue)
      throw error
    }
  }

  private func ofCollective(_ error: any Error) -> any Error {
    guard let error = error as? CollectiveError else { return error }
    return MessageError(
      error.code == .malformed ? .transport : .invalidArgument, error.description, underlying: error)
  }

  /// Throws if another rank calls something else. A rank alone has nobody to differ from.
  private func compare(_ mine: CollectiveSignature) throws {
    var all = Array(repeating: mine, count: size)
    try all.withUnsafeMutableBytes {
      try collectives.messages.allGather($0, tag: CollectiveCall.agreement.rawValue)
    }
    guard let other = all.indices.first(where: { all[$0] != mine }) else { return }
    throw MessageError(
      .invalidArgument,
      "rank \(rank) calls \(mine.describe()) while rank \(other) calls \(all[other].describe()): all ranks of a "
        + "communicator must call the same collective operations in the same order", rank: other)
  }
}
