import CApus

/// A type, so named that another process running the same program finds it.
///
/// The runtime looks up a type by its mangled name, except where the name holds an address, as that of a
/// private or local type does. Such a type is named by where its descriptor lies in the program.
indirect enum TypeReference {
  case name(String)
  case descriptor(CodeReference)
  case array(TypeReference)
  case optional(TypeReference)

  /// Nil if the type can't be named: a private type that is generic or a class.
  ///
  /// - Parameter prefersPlace: Name it by place if possible.
  init?(_ type: Any.Type, prefersPlace: Bool = false) {
    if prefersPlace, let place = Self.place(of: type) {
      self = .descriptor(place)
    } else if let name = _mangledTypeName(type), let found = _typeByName(name), found == type {
      self = .name(name)
    } else if let array = type as? any NamedByElement.Type, let element = TypeReference(array.elementType) {
      self = array.wraps(element)
    } else if let place = Self.place(of: type) {
      self = .descriptor(place)
    } else {
      return nil
    }
  }

  private static func place(of type: Any.Type) -> CodeReference? {
    apus_descriptor_of_metadata(unsafeBitCast(type, to: UnsafeRawPointer.self)).flatMap {
      CodeReference(UInt(bitPattern: $0))
    }
  }

  /// The type in this process.
  func resolve() throws(WorkerProtocolError) -> Any.Type {
    switch self {
    case .name(let name):
      guard let type = _typeByName(name) else {
        throw WorkerProtocolError("the worker's program has no type \(name): is it a different build?")
      }
      return type
    case .descriptor(let place):
      guard let address = UnsafeRawPointer(bitPattern: try place.resolve()),
        let metadata = apus_metadata_of_descriptor(address)
      else { throw WorkerProtocolError("a type has no descriptor where it should") }
      return unsafeBitCast(metadata, to: Any.Type.self)
    case .array(let element):
      func array<T>(_: T.Type) -> Any.Type { [T].self }
      return _openExistential(try element.resolve(), do: array)
    case .optional(let wrapped):
      func optional<T>(_: T.Type) -> Any.Type { T?.self }
      return _openExistential(try wrapped.resolve(), do: optional)
    }
  }

  func append(to buffer: ByteBuffer) {
    switch self {
    case .name(let name):
      buffer.append(UInt8(0))
      buffer.append(string: name)
    case .descriptor(let place):
      buffer.append(UInt8(1))
      place.append(to: buffer)
    case .array(let element):
      buffer.append(UInt8(2))
      element.append(to: buffer)
    case .optional(let wrapped):
      buffer.append(UInt8(3))
      wrapped.append(to: buffer)
    }
  }

  /// - Parameter isTrusted: Whether places in the program are believed. What a worker names is held against the
  ///   program's table of its types: a descriptor that is none would be followed anywhere.
  init(from reader: inout ByteReader, isTrusted: Bool, depth: Int = 0) throws(WorkerProtocolError) {
    guard depth < 16 else { throw WorkerProtocolError("a type is nested too deeply") }
    switch try reader.value(UInt8.self) {
    case 0:
      let name = try reader.string()
      guard isTrusted || MangledName.isHarmless(name) else {
        throw WorkerProtocolError("a type's name is too intricate")
      }
      self = .name(name)
    case 1:
      let place = try CodeReference(from: &reader)
      if !isTrusted, !apus_is_descriptor_of_program(UnsafeRawPointer(bitPattern: try place.resolve())) {
        throw WorkerProtocolError("a type lies where the program has none")
      }
      self = .descriptor(place)
    case 2: self = .array(try TypeReference(from: &reader, isTrusted: isTrusted, depth: depth + 1))
    case 3: self = .optional(try TypeReference(from: &reader, isTrusted: isTrusted, depth: depth + 1))
    default: throw WorkerProtocolError("an unknown kind of type")
    }
  }
}

/// The standard library's containers that private types come in most.
private protocol NamedByElement {
  static var elementType: Any.Type { get }
  static func wraps(_ element: TypeReference) -> TypeReference
}

extension Array: NamedByElement {
  fileprivate static var elementType: Any.Type { Element.self }
  fileprivate static func wraps(_ element: TypeReference) -> TypeReference { .array(element) }
}

extension Optional: NamedByElement {
  fileprivate static var elementType: Any.Type { Wrapped.self }
  fileprivate static func wraps(_ element: TypeReference) -> TypeReference { .optional(element) }
}
