import CApus

/// A place in the program, so named that another process running the same program finds it.
///
/// Images are loaded at other addresses in every process; the distance from an image's base is the same
/// wherever the same build is loaded, and the image's identity says whether it is.
package struct CodeReference: Equatable {
  typealias Identity = (UInt64, UInt64, UInt32)

  private(set) var image: Identity
  private(set) var offset: UInt64

  /// Nil if no loaded image holds the address.
  package init?(_ address: UInt) {
    var found = apus_image()
    guard apus_image_at(UnsafeRawPointer(bitPattern: address), &found) else { return nil }
    image = withUnsafeBytes(of: &found.identity) { $0.loadUnaligned(as: CodeReference.Identity.self) }
    offset = UInt64(address - UInt(found.base))
  }

  /// The address in this process.
  package func resolve() throws(WorkerProtocolError) -> UInt {
    var image = image
    var found = apus_image()
    let isHere = withUnsafeBytes(of: &image) {
      apus_image_find($0.baseAddress!.assumingMemoryBound(to: UInt8.self), &found)
    }
    guard isHere else {
      throw WorkerProtocolError(
        "the worker runs a different build of the program: the function's image is not loaded in it")
    }
    guard offset < UInt64(found.end - found.base) else {
      throw WorkerProtocolError("a function lies outside of its image")
    }
    return UInt(found.base) + UInt(offset)
  }

  package static func == (a: Self, b: Self) -> Bool { a.image == b.image && a.offset == b.offset }

  func append(to buffer: ByteBuffer) {
    buffer.append(image.0)
    buffer.append(image.1)
    buffer.append(image.2)
    buffer.append(offset)
  }

  package init(from reader: inout ByteReader) throws(WorkerProtocolError) {
    image = (try reader.value(), try reader.value(), try reader.value())
    offset = try reader.value()
  }

  /// The identity of this program's own image in three words, to compare with a worker's.
  package static func programIdentity() -> [UInt64] {
    var found = apus_image()
    guard apus_image_program(&found) else { return [0, 0, 0] }
    return withUnsafeBytes(of: &found.identity) {
      [
        $0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
        UInt64($0.loadUnaligned(fromByteOffset: 16, as: UInt32.self)),
      ]
    }
  }
}
