import ApusEngine
import ApusSystem
import ApusWire
import CApus
import CApusPython

/// A Python function in a worker: the interpreter runs it, and emits what comes of it.
final class PythonRunner: ElementRunner {
  private let number: UInt64
  private let worker: apus_py_worker
  var strides: (input: Int, output: Int)? { nil }
  var code: FunctionCode { FunctionCode() }

  init(_ number: UInt64, _ definition: UnsafeRawBufferPointer, _ worker: apus_py_worker) throws {
    (self.number, self.worker) = (number, worker)
    guard worker.define(number, definition.baseAddress, UInt64(definition.count)) == 0 else {
      throw PythonService.takeFailure()
    }
  }

  deinit { worker.forget(number) }

  func run(_ input: ElementInput, output: WorkerLoop) throws {
    let status =
      switch input {
      case .bytes(let bytes): worker.run(number, bytes.baseAddress, UInt64(bytes.count))
      case .stream(let length): worker.run(number, nil, UInt64(length))
      }
    guard status == 0 else { throw FailureReport(.call, PythonService.takeFailure()) }
  }

  func run(_ run: _RawRun) throws { throw WorkerProtocolError("a Python function takes no plain memory") }
}

/// What a worker could not hand back as a value.
struct PythonFailure: Error, CustomStringConvertible {
  let description: String
}
