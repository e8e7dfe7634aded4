import ApusSystem
import ApusWire
import CApus
import Glibc

/// Bytes that one process hands to another by a descriptor: a function on its way to a rank, or what came of it.
struct RankParcel {
  enum Kind: UInt8 { case value, failure }

  /// A copy: whoever made the parcel can't change it any more.
  private let buffer: ByteBuffer

  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(buffer) {
      try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[Self.header...]))
    }
  }

  var kind: Kind? { Kind(rawValue: buffer.bytes[0]) }

  private static let header = 1

  /// Packs bytes into memory of their own.
  static func make(_ kind: Kind = .value, _ bytes: UnsafeRawBufferPointer) throws(ProcessError)
    -> OwnedDescriptor
  {
    let number = apus_memory_create("apus-parcel", header + bytes.count)
    guard number >= 0 else {
      throw ProcessError(errno: -number, doing: "making shared memory of \(bytes.count) bytes")
    }
    let descriptor = OwnedDescriptor(number)
    var mark = kind.rawValue
    var failed = pwrite(number, &mark, 1, 0) != 1
    var done = 0
    while !failed, done < bytes.count {
      let count = pwrite(number, bytes.baseAddress! + done, bytes.count - done, off_t(header + done))
      if count < 0 && errno == EINTR { continue }
      failed = count <= 0
      done += max(0, count)
    }
    if failed { throw ProcessError(errno: errno, doing: "filling shared memory") }
    return descriptor
  }

  /// Copies what is there.
  init(_ descriptor: OwnedDescriptor) throws(ProcessError) {
    var information = stat()
    // A sparse file would claim any size. One that `make` made has all its pages.
    guard fstat(descriptor.number, &information) == 0, information.st_size >= Self.header,
      Int(information.st_size) <= Int(information.st_blocks) * 512
    else { throw ProcessError(errno: EBADMSG, doing: "reading what a rank was given") }
    let size = Int(information.st_size)
    buffer = ByteBuffer(capacity: size)
    let place = buffer.uninitialized(count: size)
    var done = 0
    while done < size {
      let count = pread(descriptor.number, place + done, size - done, off_t(done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw ProcessError(errno: errno, doing: "reading what a rank was given") }
      done += count
    }
  }
}
