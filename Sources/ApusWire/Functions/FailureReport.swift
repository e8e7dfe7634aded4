import CApus

/// What a worker says about an element that failed in it without its death.
///
/// Text first, so that it arrives whatever becomes of the error itself; the error value too if it is
/// `Codable` and encodes.
package struct FailureReport: Error, Sendable {
  package enum Phase: UInt8, Sendable {
    case function, decodeContext, decodeArgument, call, encodeResult
  }

  package var phase: Phase
  package var typeName: String
  package var text: String
  /// The error as the body threw it, decoded here.
  package var error: (any Error)?

  package init(phase: Phase, typeName: String, text: String, error: (any Error)? = nil) {
    (self.phase, self.typeName, self.text, self.error) = (phase, typeName, text, error)
  }

  package init(_ phase: Phase, _ error: any Error) {
    self.init(
      phase: phase, typeName: String(reflecting: type(of: error)), text: String(describing: error),
      error: error)
  }

  /// Longer texts are cut: an error's description must not fill the memory of who reads it.
  private static let textLimit = 64 << 10

  package func append(to buffer: ByteBuffer) {
    buffer.append(phase.rawValue)
    buffer.append(string: typeName)
    buffer.append(
      string: text.utf8.count > Self.textLimit ? String(text.prefix(Self.textLimit / 4)) + "…" : text)
    guard let error = error as? any Error & Codable else { return }
    let value = ByteBuffer(capacity: 64)
    guard let type = Self.reference(to: Swift.type(of: error)), (try? encode(error, into: value)) != nil
    else {
      return
    }
    type.append(to: buffer)
    buffer.append(contentsOf: value.bytes)
  }

  /// By place where the parent will believe it, by a plain name where not.
  private static func reference(to type: Any.Type) -> TypeReference? {
    guard let reference = TypeReference(type, prefersPlace: true) else { return nil }
    if case .descriptor(let place) = reference, let address = try? place.resolve(),
      !apus_is_descriptor_of_program(UnsafeRawPointer(bitPattern: address))
    {
      return TypeReference(type)
    }
    return reference
  }

  private func encode<E: Codable>(_ error: E, into buffer: ByteBuffer) throws {
    try BinaryEncoder.encode(error, into: buffer)
  }

  /// What is reported, without the error value: runs no code of the user's.
  package static func summary(of bytes: UnsafeRawBufferPointer) -> String {
    var reader = ByteReader(bytes)
    guard let phase = (try? reader.value(UInt8.self)).flatMap(Phase.init), let type = try? reader.string(),
      let text = try? reader.string()
    else { return "its report is garbled" }
    return phase == .call ? "it threw \(type): \(text)" : text
  }

  /// Decodes the error value too, with the user's `init(from:)`: for the consumer's thread.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(WorkerProtocolError) {
    var reader = ByteReader(bytes)
    guard let phase = Phase(rawValue: try reader.value()) else {
      throw WorkerProtocolError("a failure report has an unknown phase")
    }
    self.init(phase: phase, typeName: try reader.string(), text: try reader.string())
    guard !reader.remaining.isEmpty, let reference = try? TypeReference(from: &reader, isTrusted: false),
      let type = try? reference.resolve() as? any (Error & Codable).Type
    else { return }
    error = Self.decode(type, reader.remaining)
  }

  private static func decode<E: Error & Codable>(_ type: E.Type, _ bytes: UnsafeRawBufferPointer) -> (
    any Error
  )? {
    try? BinaryDecoder.decode(type, from: bytes)
  }
}
