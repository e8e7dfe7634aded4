import ApusSystem
import ApusWire

/// An array of plain values whose elements are written by address, while it is being made.
///
/// The storage of an array is an object of its own that stays where it is until the array grows or is copied;
/// nobody else has this array until `take`.
final class PlainArray<Element: Codable & Sendable> {
  private var array: [Element]
  let base: UnsafeMutableRawPointer

  /// Nil unless `Element` is plain memory for which every pattern of bits is a value.
  init?(count: Int) {
    guard count > 0, WireType(Element.self).rawSize != nil else { return nil }
    array = Array(unsafeUninitializedCapacity: count) { $1 = count }
    base = array.withUnsafeMutableBytes {
      willFill($0)
      return $0.baseAddress!
    }
  }

  var count: Int { array.count }

  func take() -> [Element] { array }
}

/// The elements of an array by address, and what keeps them there.
final class ArrayElements<Element> {
  private let array: [Element]

  init(_ array: [Element]) { self.array = array }

  /// Valid for as long as the object lives: see `PlainArray`.
  var bytes: UnsafeRawBufferPointer { array.withUnsafeBytes { $0 } }

  /// The first element, if there is one; valid as long.
  var base: UnsafePointer<Element> {
    array.withUnsafeBufferPointer {
      $0.baseAddress ?? UnsafePointer(bitPattern: MemoryLayout<Element>.alignment)!
    }
  }
}
