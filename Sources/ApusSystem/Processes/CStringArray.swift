/// Strings as C's null-terminated array of null-terminated strings, in one block of memory each for the bytes
/// and for the pointers.
package struct CStringArray: ~Copyable {
  package let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let bytes: UnsafeMutablePointer<CChar>

  /// `nil` if a string holds a NUL: C would take it as cut off there, and run something else than was asked.
  package init?(_ strings: [ByteString]) {
    var size = 1
    for string in strings {
      if string.bytes.contains(0) { return nil }
      size += string.bytes.count + 1
    }
    bytes = .allocate(capacity: size)
    pointers = .allocate(capacity: strings.count + 1)
    var next = bytes
    for (index, string) in strings.enumerated() {
      pointers.advanced(by: index).initialize(to: next)
      for byte in string.bytes {
        next.initialize(to: CChar(bitPattern: byte))
        next += 1
      }
      next.initialize(to: 0)
      next += 1
    }
    pointers.advanced(by: strings.count).initialize(to: nil)
  }

  deinit {
    bytes.deallocate()
    pointers.deallocate()
  }
}
