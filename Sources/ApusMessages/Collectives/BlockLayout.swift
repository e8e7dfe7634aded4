/// Where the block of each rank lies, in memory that holds one block for each, in rank order and without gaps.
package struct BlockLayout: Sendable {
  // Either all lengths are alike but for one unit, and need no array, or `starts` has them, and the end.
  private let base: Int
  private let larger: Int
  private let unit: Int
  private let starts: [Int]

  /// The number of blocks.
  package let count: Int
  /// The length of all of them in bytes.
  package let total: Int

  /// Blocks that divide `total` bytes evenly; an error if they can't.
  package init(equal total: Int, into count: Int) throws {
    guard total % count == 0 else {
      throw CollectiveError.invalid("\(total) bytes can't be divided evenly among \(count) ranks.")
    }
    (base, larger, unit, starts) = (total / count, 0, 1, [])
    (self.count, self.total) = (count, total)
  }

  /// Blocks that divide `total` bytes, a multiple of `unit`, as evenly as whole units go.
  init(splitting total: Int, unit: Int, into count: Int) {
    let units = total / unit
    (base, larger, self.unit, starts) = (units / count, units % count, unit, [])
    (self.count, self.total) = (count, units * unit)
  }

  /// Blocks of these lengths in bytes; an error if there aren't `count` of them, if one is negative, or if
  /// memory can't hold them.
  package init(lengths: [Int], count: Int) throws {
    guard lengths.count == count else {
      throw CollectiveError.invalid(
        "There are lengths for \(lengths.count) ranks, and there are \(count) ranks.")
    }
    var starts = [0]
    starts.reserveCapacity(count + 1)
    for (rank, length) in lengths.enumerated() {
      let (end, overflow) = starts[rank].addingReportingOverflow(length)
      guard length >= 0, !overflow else {
        throw CollectiveError.invalid("The length for rank \(rank) is \(length) bytes.")
      }
      starts.append(end)
    }
    (base, larger, unit, self.starts) = (0, 0, 1, starts)
    (self.count, total) = (count, starts[count])
  }

  /// The offset of block `index`; that of the end for `count`.
  package func start(_ index: Int) -> Int {
    starts.isEmpty ? (index * base + min(index, larger)) * unit : starts[index]
  }

  /// The bytes of block `index`.
  package func range(_ index: Int) -> Range<Int> { range(index..<index + 1) }

  /// The bytes of several blocks on end.
  package func range(_ blocks: Range<Int>) -> Range<Int> {
    start(blocks.lowerBound)..<start(blocks.upperBound)
  }

  /// The length of block `index`.
  package func length(_ index: Int) -> Int { range(index).count }
}

extension UnsafeRawBufferPointer {
  /// A part of the memory. Sound where the range comes from a layout that was checked against `count`.
  func part(_ range: Range<Int>) -> UnsafeRawBufferPointer { .init(rebasing: self[range]) }
}

extension UnsafeMutableRawBufferPointer {
  /// A part of the memory. Sound where the range comes from a layout that was checked against `count`.
  func part(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer { .init(rebasing: self[range]) }

  /// The same memory to read.
  var readable: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self) }

  /// Copies `source`, which has as many bytes, and may be the same memory.
  func fill(from source: UnsafeRawBufferPointer) {
    assert(source.count == count)
    if UnsafeRawPointer(baseAddress) != source.baseAddress { copyMemory(from: source) }
  }
}
