/// The way from the message's outermost value to a nested one, kept cheaply: one integer a level.
///
/// Nodes lie in an array that grows and shrinks like the stack of `encode` and `decode` calls. A container that
/// outlives its call keeps a stale number; the worst that comes of it is a wrong path in an error message.
enum WirePath {
  /// An element that adds nothing to the path, as for a single-value container.
  static let none = Int.min

  /// The element for the `index`th value of an unkeyed container; a key is its number in the message's table.
  @inline(__always)
  static func index(_ index: Int) -> Int { ~index }

  static func key(_ element: Int, keys: [String]) -> (any CodingKey)? {
    if element == none { return nil }
    if element < 0 { return WireKey(index: ~element) }
    return WireKey(element < keys.count ? keys[element] : "?")
  }
}

/// A coding key of any name, or an index.
struct WireKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  init(_ string: String) {
    stringValue = string
    intValue = nil
  }

  init(index: Int) {
    stringValue = "Index \(index)"
    intValue = index
  }

  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { self.init(index: intValue) }

  /// The key of the value that `superEncoder()` makes room for.
  static let `super` = WireKey("super")
}
