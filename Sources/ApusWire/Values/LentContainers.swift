/// Keyed containers that are used again for the next value with the same type of keys.
///
/// The standard library boxes a keyed container in an object. Making one takes three look-ups of types in the
/// runtime and an allocation: as long as coding a small struct. So a session keeps one for each type of keys
/// and lends it. Where it reads or writes (`Place`) is kept outside of it, and set anew each time. A
/// container that somebody still has is not lent; a new one is made then.
struct LentContainers<Place: BitwiseCopyable> {
  struct Slot {
    var key: ObjectIdentifier?
    var container: AnyObject?
    var place: Place?
  }

  private static var count: Int { 64 }
  private let slots: UnsafeMutablePointer<Slot>

  init() {
    slots = .allocate(capacity: Self.count)
    slots.initialize(repeating: Slot(), count: Self.count)
  }

  @inline(__always)
  func slot<Key>(for key: Key.Type) -> UnsafeMutablePointer<Slot> {
    let hash = UInt(bitPattern: ObjectIdentifier(key)) &* 0x9E37_79B9_7F4A_7C15
    return slots + Int(hash >> 58)
  }
}
