/// Whether the runtime may be asked for a type by a name that a worker made up.
///
/// A mangled name can hold addresses, which are followed, and refer back to its own parts: a short one can so stand for
/// a type whose resolving takes for ever. Let through are names of structs, enums and classes, written out, with
/// arguments of the same kind and few references back. The grammar: docs/ABI/Mangling.rst of the Swift project.
package struct MangledName {
  /// Of *n* references back each can stand for several others: 3^(n/3) copies of a part at most, here 81.
  private static let referenceLimit = 12

  private var rest: Substring.UnicodeScalarView
  private var references = 0

  package static func isHarmless(_ name: String) -> Bool {
    guard name.utf8.count <= 1024 else { return false }
    var name = MangledName(rest: Substring(name).unicodeScalars)
    while let next = name.rest.first {
      guard name.takePart(next), name.references <= referenceLimit else { return false }
    }
    return true
  }

  private init(rest: Substring.UnicodeScalarView) { self.rest = rest }

  private mutating func takePart(_ next: Unicode.Scalar) -> Bool {
    switch next {
    case "0"..."9": return takeIdentifier()
    case "S": return takeStandardType()
    case "A": return takeReferences()
    // The standard library; a struct, enum or class; the beginning, the end and the separator of arguments.
    case "s", "V", "O", "C", "y", "G", "_":
      rest.removeFirst()
      return true
    default: return false
    }
  }

  /// A length and so many characters; after a zero also letters, which stand for words of the name before.
  private mutating func takeIdentifier() -> Bool {
    var hasWords = take("0")
    repeat {
      while hasWords, let letter = takeLetter() { hasWords = ("a"..."z").contains(letter) }
      if take("0") { return true }
      guard let length = takeNumber(), length > 0, length <= rest.count else { return false }
      guard rest.prefix(length).allSatisfy({ $0.isASCII && $0.value > 0x20 }) else { return false }
      rest.removeFirst(length)
    } while hasWords
    return true
  }

  /// `S` and a letter, which may stand several times; not the types of other languages (`So`, `SC`).
  private mutating func takeStandardType() -> Bool {
    rest.removeFirst()
    guard takeNumber() ?? 1 <= 16, let letter = takeLetter() else { return false }
    return letter != "o" && letter != "C" && letter != "c"
  }

  /// `A` and letters, the last of them a capital.
  private mutating func takeReferences() -> Bool {
    rest.removeFirst()
    while let letter = takeLetter() {
      references += 1
      if ("A"..."Z").contains(letter) { return true }
    }
    return false
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard rest.first == scalar else { return false }
    rest.removeFirst()
    return true
  }

  private mutating func takeLetter() -> Unicode.Scalar? {
    guard let next = rest.first, ("a"..."z").contains(next) || ("A"..."Z").contains(next) else { return nil }
    return rest.removeFirst()
  }

  private mutating func takeNumber() -> Int? {
    let digits = rest.prefix { ("0"..."9").contains($0) }
    guard (1...4).contains(digits.count) else { return nil }
    rest.removeFirst(digits.count)
    return Int(String(digits))
  }
}
