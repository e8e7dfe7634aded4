import ApusEngine
import ApusSystem
import ApusWire
import CApus
import Glibc
public import CApusPython

/// A worker whose functions are Python's.
enum PythonService {
  // Sound: of the one thread that serves.
  nonisolated(unsafe) private static var failure = ""

  static func takeFailure() -> PythonFailure {
    defer { failure = "" }
    return PythonFailure(description: failure)
  }

  static func fail(_ text: String) { failure = text }
}

/// Serves the pool that has started this process until it is told to stop. Not 0 if it could not: `problem` says why.
@c(apus_py_worker_serve)
public func serve(
  _ worker: UnsafePointer<apus_py_worker>, _ problem: UnsafeMutablePointer<CChar>, _ size: UInt64
) -> Int32 {
  let worker = worker.pointee
  var count: UInt64 = 0
  do {
    try WorkerEntry.serve { definition in
      count += 1
      return try PythonRunner(count, definition, worker)
    }
    return 0
  } catch {
    write("\(error)", to: problem, size)
    return 1
  }
}

/// Calls the worker's loop. Not 0 if that fails, for `run` to return.
private func withLoop(_ body: (WorkerLoop) throws -> Void) -> Int32 {
  do {
    try body(WorkerLoop.current!)
    return 0
  } catch {
    PythonService.fail("\(error)")
    return 1
  }
}

/// From within `run` of a long element: all of its bytes, once. Not 0 if they can't be had.
@c(apus_py_worker_read)
public func read(_ place: UnsafeMutableRawPointer, _ length: UInt64) -> Int32 {
  let bytes = UnsafeMutableRawBufferPointer(start: place, count: Int(length))
  willFill(bytes)
  return withLoop { try $0.read(into: bytes) }
}

/// From within `run`: what the element has come to. Once. Not 0 if it can't be handed back.
@c(apus_py_worker_emit)
public func emit(_ bytes: UnsafeRawPointer?, _ length: UInt64) -> Int32 {
  withLoop { try $0.emit(UnsafeRawBufferPointer(start: bytes, count: Int(length))) }
}

/// The same of bytes in several places.
@c(apus_py_worker_emit_pieces)
public func emitPieces(_ pieces: UnsafePointer<apus_py_piece>, _ count: Int64) -> Int32 {
  withLoop { try $0.emit(buffers(pieces, count)) }
}

/// From within `run` or `define`, before anything but 0 is returned: what is wrong.
@c(apus_py_worker_fail)
public func fail(_ text: UnsafeRawPointer?, _ length: UInt64) {
  PythonService.fail(String(decoding: UnsafeRawBufferPointer(start: text, count: Int(length)), as: UTF8.self))
}

/// Where the worker notes which part of the element it is at: 8 bytes. Null outside of a worker.
@c(apus_py_worker_part)
public func partOfElement() -> UnsafeMutableRawPointer? { WorkerLoop.current?.placeOfPart }

/// What the worker is at. Not 0 outside of a worker.
@c(apus_py_worker_task)
public func taskOfWorker(_ task: UnsafeMutablePointer<apus_py_task>) -> Int32 {
  guard let loop = WorkerLoop.current else { return 1 }
  task.pointee = apus_py_task(worker: Int64(loop.place), tries: Int64(loop.tries), element: loop.element)
  return 0
}

/// In what a template has just forked: leads a group of its own, and dies with the template, `parent`. Not 0 if that is gone.
@c(apus_py_worker_adopted)
public func adopted(_ parent: Int32) -> Int32 {
  setpgid(0, 0)
  apus_set_parent_death_signal(SIGKILL)
  return getppid() == parent ? 0 : 1
}
