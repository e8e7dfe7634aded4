/// Why a value could not be turned into bytes, or bytes into a value.
///
/// Errors that a type's own `encode(to:)` or `init(from:)` throws are passed on unchanged, and conditions that
/// `Codable` has a name for (a missing key, a value of another type) are thrown as `DecodingError`.
public struct WireError: Error, Sendable, Codable, CustomStringConvertible {
  /// What went wrong. More codes may be added.
  public struct Code: Sendable, Hashable, Codable, CustomStringConvertible {
    private enum Value: String, Sendable, Codable {
      case truncated, malformed, trailingBytes, tooDeep, typeMismatch, misuse
    }
    private let value: Value

    private init(_ value: Value) { self.value = value }

    /// The bytes end before the value does.
    public static var truncated: Code { Code(.truncated) }
    /// The bytes are no encoding of any value.
    public static var malformed: Code { Code(.malformed) }
    /// The bytes go on after the value has ended.
    public static var trailingBytes: Code { Code(.trailingBytes) }
    /// The value is nested deeper than 512 levels, or refers to itself.
    public static var tooDeep: Code { Code(.tooDeep) }
    /// The bytes are an encoding, but of another type.
    public static var typeMismatch: Code { Code(.typeMismatch) }
    /// A type's own `encode(to:)` used its encoder in a way that `Codable` does not allow.
    public static var misuse: Code { Code(.misuse) }

    /// The code's name.
    public var description: String { value.rawValue }
  }

  /// What went wrong.
  public let code: Code
  /// The name of the type that was being encoded or decoded.
  public let typeName: String
  /// Where in the value, as in `particles[3].position`; empty for the value itself.
  public let path: String
  /// What was found, and what to do where that is known.
  public let message: String

  package init(_ code: Code, type: Any.Type, path: String = "", detail: String) {
    self.code = code
    self.typeName = String(reflecting: type)
    self.path = path
    message = detail
  }

  package init(_ code: Code, type: Any.Type, codingPath: [any CodingKey], detail: String) {
    self.init(code, type: type, path: Self.text(codingPath), detail: detail)
  }

  /// One line for a person to read.
  public var description: String {
    "\(typeName)\(path.isEmpty ? "" : " at \(path)"): \(message) [\(code)]"
  }

  private static func text(_ path: [any CodingKey]) -> String {
    var text = ""
    for key in path {
      if let index = key.intValue {
        text += "[\(index)]"
      } else {
        text += text.isEmpty ? key.stringValue : "." + key.stringValue
      }
    }
    return text
  }
}
