import ApusEngine
import ApusWire

/// Calls a Swift function of this program that another process named.
final class SwiftRunner<Input: Codable, Output: Codable>: ElementRunner {
  let strides: (input: Int, output: Int)?
  let code: FunctionCode
  private let call: (Input) throws -> Output
  /// Without a context, so that no reference is counted for each task.
  private let rawLoop: (loop: RawLoop, body: UInt)?
  private let inputs = ValueCodec<Input>()
  private let outputs = ValueCodec<Output>()
  private let buffer = ByteBuffer(capacity: 256)

  init(
    call: @escaping (Input) throws -> Output, code: FunctionCode, strides: (input: Int, output: Int)?,
    rawLoop: (loop: RawLoop, body: UInt)?
  ) {
    (self.call, self.code, self.strides, self.rawLoop) = (call, code, strides, rawLoop)
  }

  func run(_ run: _RawRun) throws {
    if let rawLoop { try rawLoop.loop.loop(run, rawLoop.body) } else { try run.forEach(call) }
  }

  func run(_ input: ElementInput, output: WorkerLoop) throws {
    let value: Input
    do { value = try argument(input, output) } catch let error as ChannelCorruption {
      throw error
    } catch { throw FailureReport(.decodeArgument, error) }
    let result: Output
    do { result = try call(value) } catch let report as FailureReport { throw report } catch {
      throw FailureReport(.call, error)
    }
    if try outputs.withRawBytes(of: result, { try output.emit($0) }) != nil { return }
    buffer.removeAll(keepingCapacity: buffer.count < 1 << 20)
    do { try outputs.encode(result, into: buffer) } catch { throw FailureReport(.encodeResult, error) }
    try output.emit(buffer.bytes)
  }

  private func argument(_ input: ElementInput, _ stream: WorkerLoop) throws -> Input {
    switch input {
    case .bytes(let bytes):
      // Plain memory, as it lies in an array: with what follows a value up to the next.
      if bytes.count == strides?.input {
        return try inputs.decode(UnsafeRawBufferPointer(rebasing: bytes.prefix(MemoryLayout<Input>.size)))
      }
      return try inputs.decode(bytes)
    case .stream(let length):
      if let array = try inputs.makeArray(byteCount: length, fill: { try stream.read(into: $0) }) {
        return array
      }
      let bytes = ByteBuffer(capacity: length)
      try stream.read(
        into: UnsafeMutableRawBufferPointer(start: bytes.uninitialized(count: length), count: length))
      return try inputs.decode(bytes.bytes)
    }
  }
}
