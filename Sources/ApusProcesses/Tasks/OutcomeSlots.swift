import ApusEngine

/// Where the outcomes of a call go, by index: values side by side in memory, whichever comes first.
///
/// By address, since an array of a type that the library does not know asks the runtime for types at each step, which
/// takes longer than coding a small value does.
final class OutcomeSlots<Output: Codable & Sendable> {
  /// Where the engine puts values of plain memory itself.
  let plain: PlainArray<Output>?
  private var base: UnsafeMutablePointer<Output>
  private var capacity: Int
  /// Whether there is a value at an index.
  private var isThere: [Bool]
  private var failures: [Int: TaskError] = [:]

  /// - Parameter count: How many there may be, as far as is known: it spares moving them.
  init(plain: PlainArray<Output>?, count: Int) {
    self.plain = plain
    capacity = plain == nil ? min(max(count, 16), 1 << 16) : 0
    base = .allocate(capacity: capacity)
    isThere = Array(repeating: false, count: capacity)
  }

  deinit {
    for index in 0..<capacity where isThere[index] { (base + index).deinitialize(count: 1) }
    base.deallocate()
  }

  /// The memory for the value at `index`; `settle` hears whether it was written.
  func place(_ index: Int) -> UnsafeMutablePointer<Output> {
    if let plain { return plain.base.assumingMemoryBound(to: Output.self) + index }
    if index >= capacity { grow(to: max(index + 1, 2 * capacity)) }
    return base + index
  }

  /// The outcome at `index` is there: a value at its place, or an error.
  func settle(_ index: Int, _ error: TaskError?) {
    if let error { failures[index] = error } else if plain == nil { isThere[index] = true }
  }

  /// Not as bytes: a value that holds a weak reference must be told of its new place.
  private func grow(to newCapacity: Int) {
    let new = UnsafeMutablePointer<Output>.allocate(capacity: newCapacity)
    var index = 0
    while index < capacity {
      let start = index
      while index < capacity, isThere[index] { index += 1 }
      (new + start).moveInitialize(from: base + start, count: index - start)
      while index < capacity, !isThere[index] { index += 1 }
    }
    base.deallocate()
    isThere.append(contentsOf: repeatElement(false, count: newCapacity - capacity))
    (base, capacity) = (new, newCapacity)
  }

  // MARK: All of them

  /// The values of a call without failures.
  ///
  /// - Parameter count: How many inputs there were: a collection that miscounts itself may have fewer.
  func values(_ count: Int) -> [Output] {
    if let plain { return count == plain.count ? plain.take() : Array(plain.take().prefix(count)) }
    precondition(count == 0 || isThere[..<count].allSatisfy { $0 }, "a result is missing")
    let values = Array<Output>(unsafeUninitializedCapacity: count) { buffer, initialized in
      buffer.baseAddress?.moveInitialize(from: base, count: count)
      initialized = count
    }
    for index in 0..<count { isThere[index] = false }
    return values
  }

  /// The outcomes of a call of which every task has one.
  func outcomes(_ count: Int) -> [Result<Output, TaskError>] {
    let elements = plain.map { ArrayElements($0.take()) }
    let values = elements?.base ?? UnsafePointer(base)
    return withExtendedLifetime(elements) {
      Array(unsafeUninitializedCapacity: count) { outcomes, initialized in
        for index in 0..<count {
          let failure = failures.isEmpty ? nil : failures[index]
          if let failure {
            outcomes.initializeElement(at: index, to: .failure(failure))
          } else {
            outcomes.initializeElement(at: index, to: .success(values[index]))
          }
        }
        initialized = count
      }
    }
  }

  /// The outcomes of a call that was given up: what is not there was cancelled.
  ///
  /// - Parameter placed: Where the engine has put values of plain memory.
  func outcomes(_ count: Int, placed: [Range<Int>]) -> [Result<Output, TaskError>] {
    var outcomes: [Result<Output, TaskError>] = (0..<count).map { index in
      if let error = failures[index] { return .failure(error) }
      if index < capacity, isThere[index] { return .success(base[index]) }
      return .failure(TaskError(.stopped(.cancelled, limit: nil), task: index))
    }
    if let values = plain?.take() {
      for range in placed { for index in range { outcomes[index] = .success(values[index]) } }
    }
    return outcomes
  }
}
