package import ApusWire

/// Encoded arguments of consecutive tasks of one job, kept until each has its result: the tasks that a dead
/// worker had not begun are sent again from here.
package final class InputBatch: @unchecked Sendable {
  // Sound: made by the caller's thread, handed over under the engine's lock, and not changed after that.

  enum Storage {
    /// Plain memory, one size each.
    case raw(base: UnsafeRawPointer, stride: Int)
    /// Bytes one after the other, and where each argument ends.
    case coded(ByteBuffer, ends: [Int])
    /// A single argument whose bytes lie in several places.
    case gathered([UnsafeRawBufferPointer])
  }

  let storage: Storage
  package let count: Int
  /// Keeps memory alive that is not the batch's own.
  private let owner: AnyObject?

  /// Arguments of `stride` bytes each in memory that `owner` keeps alive and unchanged.
  package init(raw base: UnsafeRawPointer, stride: Int, count: Int, owner: AnyObject?) {
    storage = .raw(base: base, stride: stride)
    (self.count, self.owner) = (count, owner)
  }

  /// Arguments in `bytes`, each up to its end.
  package init(coded bytes: ByteBuffer, ends: [Int]) {
    storage = .coded(bytes, ends: ends)
    (count, owner) = (ends.count, nil)
  }

  /// One argument, encoded, whose bytes lie in several places that `owner` keeps alive and unchanged.
  package init(gathered pieces: [UnsafeRawBufferPointer], owner: AnyObject?) {
    storage = .gathered(pieces)
    (count, self.owner) = (1, owner)
  }

  /// One argument, encoded for a function.
  package convenience init(only argument: ByteBuffer, of function: FunctionDefinition) {
    if let strides = function.strides {
      self.init(raw: argument.baseAddress, stride: strides.input, count: 1, owner: argument)
    } else {
      self.init(coded: argument, ends: [argument.count])
    }
  }

  /// The bytes of an argument that lie in several places.
  var gathered: GatheredBytes? {
    if case .gathered(let pieces) = storage { GatheredBytes(pieces) } else { nil }
  }

  /// Of arguments whose bytes lie in one place.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    switch storage {
    case .gathered: preconditionFailure("the bytes lie in several places")
    case .raw(let base, let stride):
      return UnsafeRawBufferPointer(start: base + range.lowerBound * stride, count: range.count * stride)
    case .coded(let buffer, let ends):
      let start = range.lowerBound == 0 ? 0 : ends[range.lowerBound - 1]
      let end = range.isEmpty ? start : ends[range.upperBound - 1]
      return UnsafeRawBufferPointer(rebasing: buffer.bytes[start..<end])
    }
  }

  /// How many tasks from `start` on, at most `limit`, make a record of at most `size` bytes. At least 1.
  ///
  /// - Parameter hasLengths: Whether the record says how long each is, in 4 bytes. What is coded always does.
  func fitting(from start: Int, limit: Int, size: Int, hasLengths: Bool) -> Int {
    switch storage {
    case .gathered: return 1
    case .raw(_, let stride):
      return max(1, min(limit, (size - TaskHeader.size) / (stride + (hasLengths ? 4 : 0))))
    case .coded(_, let ends):
      let base = start == 0 ? 0 : ends[start - 1]
      var count = 1
      while count < limit, TaskHeader.size + ends[start + count] - base + 4 * (count + 1) <= size {
        count += 1
      }
      return count
    }
  }
}

/// Some tasks of a batch that wait for a worker.
struct InputSpan {
  let batch: InputBatch
  /// Which of the batch's arguments.
  var range: Range<Int>
  /// The index in the job of the batch's first argument.
  let base: Int

  /// The index in the job of the first of them.
  var firstIndex: Int { base + range.lowerBound }
}
