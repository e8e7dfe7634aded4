import ApusSystem
import ApusWire
import Synchronization

/// The name of a type on the wire: a hash that sender and receiver compare.
///
/// The same in all processes of a job, also where they are different programs. Zero is no type's.
enum TypeCode {
  private struct Known {
    let name: String
    /// Bytes of a plain value, or from one to the next of an array of such; nil if it is neither.
    let elementSize: Int?
  }

  /// The types that this process has used, and usual ones: for error messages, and to count elements.
  private static let known = Locked(
    { () -> [UInt64: Known] in
      var known: [UInt64: Known] = [:]
      let usual: [Any.Type] = [
        Int.self, Int8.self, Int16.self, Int32.self, Int64.self, UInt.self, UInt8.self, UInt16.self,
        UInt32.self,
        UInt64.self, Float.self, Double.self, Bool.self, String.self, [Int].self, [Int32].self, [Int64].self,
        [UInt8].self, [Float].self, [Double].self, [String].self, [Bool].self,
      ]
      for type in usual { _ = add(type, to: &known) }
      return known
    }())

  /// The code of a type, whose mark keeps it. Nanoseconds, but for the first time.
  @inline(__always)
  static func of<T>(_ type: T.Type, _ mark: UnsafeMutablePointer<Atomic<UInt64>>) -> UInt64 {
    let code = mark.pointee.load(ordering: .relaxed)
    return code != 0 ? code : find(type, mark)
  }

  static func of<T>(_ type: T.Type) -> UInt64 { of(type, WireType(type).mark) }

  @inline(never)
  private static func find<T>(_ type: T.Type, _ mark: UnsafeMutablePointer<Atomic<UInt64>>) -> UInt64 {
    let code = known.withLock { add(type, to: &$0) }
    mark.pointee.store(code, ordering: .relaxed)
    return code
  }

  private static func add<T>(_ type: T.Type, to known: inout [UInt64: Known]) -> UInt64 {
    let name = Self.name(of: type)
    // FNV-1a, 64 bits.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = max(1, hash)
    let wire = WireType(type)
    known[hash] = Known(name: name, elementSize: wire.rawSize ?? wire.arrayStride)
    return hash
  }

  /// What is known of a code that came with a message.
  static func name(of code: UInt64) -> String {
    known.withLock { $0[code]?.name } ?? "another type"
  }

  /// How many bytes an element takes in a message of such a type; nil if it has no elements, or the type is not known
  /// here.
  static func elementSize(of code: UInt64) -> Int? { known.withLock { $0[code]?.elementSize } }

  /// The type's full name. That of a private type has an address in it, which differs between processes.
  static func name(of type: Any.Type) -> String {
    var name = Substring(_typeName(type, qualified: true))
    var result = ""
    while let mark = name.firstRange(of: "(unknown context at $") {
      result += name[..<mark.lowerBound]
      guard let end = name[mark.upperBound...].firstIndex(of: ")") else { break }
      name = name[end...].dropFirst()
      if name.first == "." { name = name.dropFirst() }
    }
    return result + name
  }
}
