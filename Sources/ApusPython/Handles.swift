import ApusWire
import CApus
import CApusPython

// Objects that Python holds: each is a pointer that owns one reference, given back once.

func handedOut(_ object: AnyObject) -> UnsafeMutableRawPointer { Unmanaged.passRetained(object).toOpaque() }

func borrowed<Object: AnyObject>(_ pointer: UnsafeMutableRawPointer, _: Object.Type = Object.self) -> Object {
  Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
}

/// Gives back an object.
@c(apus_py_release)
public func release(_ pointer: UnsafeMutableRawPointer) { Unmanaged<AnyObject>.fromOpaque(pointer).release() }

/// A function, as Python holds it.
final class FunctionHandle {
  let definition: FunctionDefinition

  init(_ bytes: UnsafeRawBufferPointer) {
    // A worker does not keep many: each call of `map` may bring a function of its own.
    definition = FunctionDefinition(bytes: copied(bytes), carriesContext: true, strides: nil)
  }
}

func copied(_ bytes: UnsafeRawBufferPointer) -> ByteBuffer {
  let buffer = ByteBuffer(capacity: bytes.count)
  buffer.append(contentsOf: bytes)
  return buffer
}

func buffers(_ pieces: UnsafePointer<apus_py_piece>, _ count: Int64) -> [UnsafeRawBufferPointer] {
  UnsafeBufferPointer(start: pieces, count: Int(count)).map {
    UnsafeRawBufferPointer(start: $0.bytes, count: Int($0.length))
  }
}

/// A function for workers, which read what is in `bytes`.
@c(apus_py_function_new)
public func newFunction(_ bytes: UnsafeRawPointer, _ length: UInt64) -> UnsafeMutableRawPointer {
  handedOut(FunctionHandle(UnsafeRawBufferPointer(start: bytes, count: Int(length))))
}

/// Writes a text for C, cut to what there is room for.
func write(_ text: String, to place: UnsafeMutablePointer<CChar>, _ size: UInt64) {
  var count = 0
  for byte in text.utf8.prefix(Int(size) - 1) {
    place[count] = CChar(bitPattern: byte)
    count += 1
  }
  place[count] = 0
}
