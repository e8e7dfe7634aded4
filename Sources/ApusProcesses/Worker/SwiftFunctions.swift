package import ApusEngine
import ApusWire
import Synchronization

/// Makes the runner of a Swift function from the bytes of its `FunctionDefinition`.
package enum SwiftFunctions {
  package static func makeRunner(_ bytes: UnsafeRawBufferPointer) throws -> any ElementRunner {
    var reader = ByteReader(bytes)
    guard let shape = BodyShape(rawValue: try reader.value()) else {
      throw WorkerProtocolError("a function of unknown shape")
    }
    let name = try FunctionName(from: &reader, types: 3)
    let loop = try reader.value(UInt8.self) == 1 ? CodeReference(from: &reader).resolve() : 0
    let parts = Parts(shape: shape, body: name.code, loop: loop, context: reader.remaining)
    // One existential is opened at a time.
    return try parts.open(codable(name.types[0]), codable(name.types[1]), codable(name.types[2]))
  }

  private static func codable(_ type: Any.Type) throws -> any Codable.Type {
    guard let type = type as? any Codable.Type else {
      throw WorkerProtocolError("\(type) is not Codable in the worker")
    }
    return type
  }

  private struct Parts {
    let shape: BodyShape
    let body: UInt
    let loop: UInt
    let context: UnsafeRawBufferPointer

    func open<C: Codable>(_: C.Type, _ input: any Codable.Type, _ output: any Codable.Type) throws
      -> any ElementRunner
    { try open(C.self, input, output) }

    func open<C: Codable, I: Codable>(_: C.Type, _: I.Type, _ output: any Codable.Type) throws
      -> any ElementRunner
    { try runner(C.self, I.self, output) }

    func runner<C: Codable, I: Codable, O: Codable>(_: C.Type, _: I.Type, _: O.Type) throws
      -> any ElementRunner
    {
      switch shape {
      case .plain:
        let function = cast(PlainBody<I, O>.self).make()
        return plainRunner(function, FunctionCode(of: function))
      case .async:
        let function = cast(AsyncBody<I, O>.self).make()
        return asyncRunner(function, FunctionCode(of: function))
      case .context:
        let function = cast(ContextBody<C, I, O>.self).make()
        return contextRunner(function, FunctionCode(of: function))
      case .asyncContext:
        let function = cast(AsyncContextBody<C, I, O>.self).make()
        return asyncContextRunner(function, FunctionCode(of: function))
      case .void:
        let body = VoidFunction(call: cast(VoidBody<I>.self).make())
        return plainRunner(
          { (input: I) throws -> Nothing in
            try body.call(input)
            return Nothing()
          }, FunctionCode(in: body))
      case .asyncVoid:
        let body = AsyncVoidFunction(call: cast(AsyncVoidBody<I>.self).make())
        return asyncRunner(
          { (input: I) async throws -> Nothing in
            try await body.call(input)
            return Nothing()
          }, FunctionCode(in: body))
      case .contextVoid:
        let body = ContextVoidFunction(call: cast(ContextVoidBody<C, I>.self).make())
        return contextRunner(
          { (context: C, input: I) throws -> Nothing in
            try body.call(context, input)
            return Nothing()
          }, FunctionCode(in: body))
      case .asyncContextVoid:
        let body = AsyncContextVoidFunction(call: cast(AsyncContextVoidBody<C, I>.self).make())
        return asyncContextRunner(
          { (context: C, input: I) async throws -> Nothing in
            try await body.call(context, input)
            return Nothing()
          }, FunctionCode(in: body))
      case .action:
        let body = ActionFunction(call: cast(ActionBody.self).make())
        return plainRunner(
          { (_: I) throws -> Nothing in
            try body.call()
            return Nothing()
          }, FunctionCode(in: body))
      case .asyncAction:
        let body = AsyncActionFunction(call: cast(AsyncActionBody.self).make())
        return asyncRunner(
          { (_: I) async throws -> Nothing in
            try await body.call()
            return Nothing()
          }, FunctionCode(in: body))
      }
    }

    private func plainRunner<I: Codable, O: Codable>(
      _ function: @escaping (I) throws -> O, _ code: FunctionCode
    ) -> any ElementRunner {
      SwiftRunner(call: function, code: code, strides: strides(I.self, O.self), rawLoop: rawLoop)
    }

    private func asyncRunner<I: Codable, O: Codable>(
      _ function: @escaping (I) async throws -> O, _ code: FunctionCode
    ) -> any ElementRunner {
      AsyncBridge.isNeeded.store(true, ordering: .relaxed)
      return SwiftRunner<I, O>(
        call: { input in try AsyncBridge.run { try await function(input) } }, code: code,
        strides: strides(I.self, O.self), rawLoop: nil)
    }

    private func contextRunner<C: Codable, I: Codable, O: Codable>(
      _ function: @escaping (C, I) throws -> O, _ code: FunctionCode
    ) -> any ElementRunner {
      let context = LazyContext<C>(context)
      return SwiftRunner<I, O>(
        call: { input in try function(context.value(), input) }, code: code,
        strides: strides(I.self, O.self), rawLoop: nil)
    }

    private func asyncContextRunner<C: Codable, I: Codable, O: Codable>(
      _ function: @escaping (C, I) async throws -> O, _ code: FunctionCode
    ) -> any ElementRunner {
      AsyncBridge.isNeeded.store(true, ordering: .relaxed)
      let context = LazyContext<C>(context)
      return SwiftRunner<I, O>(
        call: { input in
          let context = try context.value()
          return try AsyncBridge.run { try await function(context, input) }
        }, code: code, strides: strides(I.self, O.self), rawLoop: nil)
    }

    private func strides<I: Codable, O: Codable>(_: I.Type, _: O.Type) -> (input: Int, output: Int)? {
      FunctionSource.strides(shape, I.self, O.self)
    }

    /// The closure that the compiler wrote at the call, without context, as the parent checked.
    private func cast<Body>(_: Body.Type) -> Body {
      unsafeBitCast(ClosureWords(code: body, context: 0), to: Body.self)
    }

    private var rawLoop: (loop: RawLoop, body: UInt)? {
      guard loop != 0 else { return nil }
      return (unsafeBitCast(ClosureWords(code: loop, context: 0), to: RawLoop.self), body)
    }
  }
}

/// A context value, decoded when the first element needs it and not before: decoding it is the user's code, and
/// where that is deadly the element is to answer for it.
private final class LazyContext<Context: Codable> {
  private enum State {
    case encoded(ByteBuffer)
    case decoded(Context)
    case failed(FailureReport)
  }
  private var state: State

  init(_ bytes: UnsafeRawBufferPointer) {
    let copy = ByteBuffer(capacity: bytes.count)
    copy.append(contentsOf: bytes)
    state = .encoded(copy)
  }

  func value() throws -> Context {
    switch state {
    case .decoded(let value): return value
    case .failed(let report): throw report
    case .encoded(let bytes):
      do {
        let value = try ValueCodec<Context>().decode(bytes.bytes)
        state = .decoded(value)
        return value
      } catch {
        let report = FailureReport(.decodeContext, error)
        state = .failed(report)
        throw report
      }
    }
  }
}

// Functions that return nothing, as they are: elsewhere the compiler adapts them to generic callers.

private struct ActionFunction { let call: () throws -> Void }
private struct AsyncActionFunction { let call: () async throws -> Void }
private struct VoidFunction<Input> { let call: (Input) throws -> Void }
private struct AsyncVoidFunction<Input> { let call: (Input) async throws -> Void }
private struct ContextVoidFunction<Context, Input> { let call: (Context, Input) throws -> Void }
private struct AsyncContextVoidFunction<Context, Input> { let call: (Context, Input) async throws -> Void }
