package import ApusWire

/// A value that every worker of a pool is told of once, before its next task, for as long as anybody holds this.
///
/// To a worker it is a function that nobody calls: bytes that it gets once. They outlive this while they are on their way.
package final class SharedValue: Sendable {
  let definition: FunctionDefinition

  package init(_ bytes: ByteBuffer) {
    definition = FunctionDefinition(bytes: bytes, carriesContext: true, strides: nil, isShared: true)
  }
}

/// Those of a pool.
final class SharedValues {
  private struct Entry {
    /// How many there were before it, and it.
    let number: Int
    weak let value: SharedValue?
  }

  private var entries: [Entry] = []
  /// How many there ever were.
  @exclusivity(unchecked) private(set) var count = 0

  func add(_ value: SharedValue) {
    entries.removeAll { $0.value == nil }
    count += 1
    entries.append(Entry(number: count, value: value))
  }

  /// The first one that somebody holds which a worker that knows `known` of them does not know.
  func next(after known: Int) -> (number: Int, definition: FunctionDefinition)? {
    for entry in entries where entry.number > known {
      if let value = entry.value { return (entry.number, value.definition) }
    }
    return nil
  }
}

extension PoolEngine {
  /// Has every worker told of a value.
  package func share(_ value: SharedValue) { entered { shared.add(value) } }

  /// Whoever shared a value lets go of it. Calls that have begun may still refer to it, and keep it.
  package func unshare(_ value: SharedValue) {
    entered { for job in active where !job.isComplete { job.shared.append(value) } }
  }
}
