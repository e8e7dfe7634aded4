package import ApusWire

/// Values that every worker of a pool is told of once, before its next task, and keeps for as long as anybody holds them.
///
/// Such a value is a function that nobody calls: bytes that a worker gets once.
final class SharedValues {
  private struct Value {
    /// How many there were before it, and it.
    let number: Int
    weak var definition: FunctionDefinition?
  }

  private var values: [Value] = []
  /// How many there ever were.
  @exclusivity(unchecked) private(set) var count = 0

  func add(_ definition: FunctionDefinition) {
    values.removeAll { $0.definition == nil }
    count += 1
    values.append(Value(number: count, definition: definition))
  }

  /// The first one that somebody holds which a worker that knows `known` of them does not know.
  func next(after known: Int) -> (number: Int, definition: FunctionDefinition)? {
    for value in values where value.number > known {
      if let definition = value.definition { return (value.number, definition) }
    }
    return nil
  }
}

extension PoolEngine {
  /// Has every worker told of a value, which is `isShared`, before its next task.
  package func share(_ value: FunctionDefinition) { entered { shared.add(value) } }

  /// Whoever shared a value has let go of it. Calls that have begun may still refer to it, and keep it.
  package func unshare(_ value: FunctionDefinition) {
    entered { for job in active where !job.isComplete { job.shared.append(value) } }
  }
}
