import ApusSystem
import Synchronization

/// What a coder does with a type, decided by the type alone.
enum TypeKind: UInt8 {
  case coded, bool, string, raw, rawArray, optional, data
  case int, int8, int16, int32, int64, int128, uint, uint8, uint16, uint32, uint64, uint128, float, double
}

/// What is known about a type at run time, found once for the life of the process.
struct TypeFacts {
  let identifier: ObjectIdentifier
  let kind: TypeKind
  let size: Int
  let stride: Int
  let raw: (any RawCodable.Type)?
  let rawArray: (any RawArrayOnWire.Type)?
  /// Whether `ValueCodec` has no shorter way than the binary coder.
  let goesByCoder: Bool
  /// For an array that has a faster way.
  let words: WordsArray?
  /// Foundation's `Data`, without importing Foundation.
  let data: (any RangeReplaceableCollection<UInt8>.Type)?
  let encodableOptional: (any EncodableOptional.Type)?
  let decodableOptional: (any DecodableOptional.Type)?
  /// A word that belongs to the type, 0 at first; see `WireType.mark`.
  let mark: UnsafeMutablePointer<Atomic<UInt64>>

  private init<T>(_ type: T.Type) {
    identifier = ObjectIdentifier(type)
    mark = .allocate(capacity: 1)
    mark.initialize(to: Atomic(0))
    size = MemoryLayout<T>.size
    stride = MemoryLayout<T>.stride
    let number = Self.numbers[ObjectIdentifier(type)]
    raw = type as? any RawCodable.Type
    rawArray = number == nil ? type as? any RawArrayOnWire.Type : nil
    encodableOptional = number == nil ? type as? any EncodableOptional.Type : nil
    decodableOptional = number == nil ? type as? any DecodableOptional.Type : nil
    words = WordsArray(type)
    data = Self.isData(type) ? type as? any RangeReplaceableCollection<UInt8>.Type : nil
    if let number {
      kind = number
    } else if rawArray != nil {
      kind = .rawArray
    } else if encodableOptional != nil || decodableOptional != nil {
      kind = .optional
    } else if data != nil {
      kind = .data
    } else {
      kind = raw != nil ? .raw : .coded
    }
    goesByCoder = kind == .optional || kind == .coded && type != [String].self && type != [Bool].self
  }

  /// `Data` writes itself byte by byte. Another collection of bytes may have
  /// reasons of its own for how it encodes itself, so only this one type is taken over.
  private static func isData<T>(_ type: T.Type) -> Bool {
    guard type is any MutableCollection.Type else { return false }
    let name = _typeName(type, qualified: true)
    return name == "FoundationEssentials.Data" || name == "Foundation.Data"
  }

  private static let numbers: [ObjectIdentifier: TypeKind] = [
    ObjectIdentifier(Bool.self): .bool, ObjectIdentifier(String.self): .string,
    ObjectIdentifier(Int.self): .int, ObjectIdentifier(Int8.self): .int8,
    ObjectIdentifier(Int16.self): .int16, ObjectIdentifier(Int32.self): .int32,
    ObjectIdentifier(Int64.self): .int64, ObjectIdentifier(Int128.self): .int128,
    ObjectIdentifier(UInt.self): .uint, ObjectIdentifier(UInt8.self): .uint8,
    ObjectIdentifier(UInt16.self): .uint16, ObjectIdentifier(UInt32.self): .uint32,
    ObjectIdentifier(UInt64.self): .uint64, ObjectIdentifier(UInt128.self): .uint128,
    ObjectIdentifier(Float.self): .float, ObjectIdentifier(Double.self): .double,
  ]

  // A conformance lookup costs microseconds the first time and some 50 ns after that, and an array of structs
  // asks for every element. So: an open-addressed table of pointers that only ever go from null to a record
  // that lives for ever. Types live for ever too, so an identifier is never reused. When the table is nearly
  // full, the records of further types are kept in `overflow`.
  private static let slotCount = 4096
  private static let probes = 8
  // Sound: written once; its elements are atomics.
  nonisolated(unsafe) private static let slots: UnsafeMutablePointer<Atomic<UInt>> = {
    let slots = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: slotCount)
    for index in 0..<slotCount { (slots + index).initialize(to: Atomic(0)) }
    return slots
  }()
  private static let overflow = Locked<[ObjectIdentifier: UInt]>([:])

  /// The facts about `type`. Some nanoseconds, except for the first time.
  @inline(__always)
  static func of<T>(_ type: T.Type) -> UnsafePointer<TypeFacts> {
    let identifier = ObjectIdentifier(type)
    let start = Self.start(identifier)
    // Acquiring: pairs with the releasing exchange in `find`, so that the record is seen complete.
    if let found = UnsafePointer<TypeFacts>(bitPattern: slots[start].load(ordering: .acquiring)),
      found.pointee.identifier == identifier
    {
      return found
    }
    return find(type, identifier, start)
  }

  private static func start(_ identifier: ObjectIdentifier) -> Int {
    let hash = UInt(bitPattern: identifier) &* 0x9E37_79B9_7F4A_7C15
    return Int(hash >> 52) & (slotCount - 1)
  }

  @inline(never)
  private static func find<T>(
    _ type: T.Type, _ identifier: ObjectIdentifier, _ start: Int
  ) -> UnsafePointer<TypeFacts> {
    var made: UnsafeMutablePointer<TypeFacts>?
    for probe in 0..<probes {
      let slot = (start + probe) & (slotCount - 1)
      var bits = slots[slot].load(ordering: .acquiring)
      if bits == 0 {
        let record = made ?? make(type)
        made = record
        let (exchanged, original) = slots[slot].compareExchange(
          expected: 0, desired: UInt(bitPattern: record), ordering: .acquiringAndReleasing)
        bits = exchanged ? UInt(bitPattern: record) : original
      }
      let found = UnsafePointer<TypeFacts>(bitPattern: bits)!
      guard found.pointee.identifier == identifier else { continue }
      if let made, UnsafePointer(made) != found {
        // Another thread was faster; nobody has seen ours.
        made.pointee.mark.deallocate()
        made.deinitialize(count: 1)
        made.deallocate()
      }
      return found
    }
    let record = made ?? make(type)
    let kept = overflow.withLock { table in
      if let existing = table[identifier] { return existing }
      table[identifier] = UInt(bitPattern: record)
      return UInt(bitPattern: record)
    }
    if kept != UInt(bitPattern: record) {
      record.pointee.mark.deallocate()
      record.deinitialize(count: 1)
      record.deallocate()
    }
    return UnsafePointer(bitPattern: kept)!
  }

  private static func make<T>(_ type: T.Type) -> UnsafeMutablePointer<TypeFacts> {
    SwiftLayout.required
    let record = UnsafeMutablePointer<TypeFacts>.allocate(capacity: 1)
    record.initialize(to: TypeFacts(type))
    return record
  }
}
