/// Reads what `ByteBuffer` wrote, in order, and never past the end.
package struct ByteReader {
  private var rest: UnsafeRawBufferPointer

  package init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  package var remaining: UnsafeRawBufferPointer { rest }

  package mutating func bytes(_ count: Int) throws(WorkerProtocolError) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= rest.count else { throw WorkerProtocolError("a message ends too early") }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
    return UnsafeRawBufferPointer(rebasing: rest[..<count])
  }

  package mutating func value<T: BitwiseCopyable>(_ type: T.Type = T.self) throws(WorkerProtocolError) -> T {
    try bytes(MemoryLayout<T>.size).loadUnaligned(as: T.self)
  }

  package mutating func string() throws(WorkerProtocolError) -> String {
    let count = try value(UInt32.self)
    return String(decoding: try bytes(Int(count)), as: UTF8.self)
  }
}

/// A message that does not follow the protocol between a pool and its workers.
package struct WorkerProtocolError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

extension ByteBuffer {
  package func append(string: String) {
    var string = string
    string.withUTF8 {
      append(UInt32($0.count))
      append(contentsOf: UnsafeRawBufferPointer($0))
    }
  }
}
