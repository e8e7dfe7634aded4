import ApusWire

/// What a rank of `withRanks` was told to run, in the rank.
enum RankCall {
  case blocking((Communicator) throws -> ByteBuffer)
  case suspending((Communicator) async throws -> ByteBuffer)

  /// Finds the function and its types in this process.
  static func make(_ definition: UnsafeRawBufferPointer) throws -> RankCall {
    var reader = ByteReader(definition)
    guard let shape = RankShape(rawValue: try reader.value()) else {
      throw WorkerProtocolError("a function of unknown shape")
    }
    let hasContext = shape == .context || shape == .asyncContext
    let name = try FunctionName(from: &reader, types: hasContext ? 2 : 1)
    let maker = Maker(shape: shape, words: name.words, context: reader.remaining)
    // A type that is not Codable is Void: others were refused before anything was started.
    let output = name.types[0] as? any Codable.Type
    guard hasContext else { return output.map { maker.make($0) } ?? maker.make(Void.self) }
    guard let context = name.types[1] as? any Codable.Type else {
      throw WorkerProtocolError("\(name.types[1]) is not Codable in the rank")
    }
    return try maker.open(context, output)
  }

  private struct Maker {
    let shape: RankShape
    let words: ClosureWords
    let context: UnsafeRawBufferPointer

    func make<Output>(_: Output.Type) -> RankCall {
      if shape == .plain {
        let body = unsafeBitCast(words, to: RankBody<Output>.self).make()
        return .blocking { world in try encoded(Result { try body(world) }) }
      }
      let body = unsafeBitCast(words, to: AsyncRankBody<Output>.self).make()
      return .suspending { world in try encoded(await outcome { try await body(world) }) }
    }

    // One existential is opened at a time.
    func open<Context: Codable>(_: Context.Type, _ output: (any Codable.Type)?) throws -> RankCall {
      let value: Context
      do { value = try ValueCodec<Context>().decode(context) } catch {
        throw FailureReport(.decodeContext, error)
      }
      return output.map { make($0, value) } ?? make(Void.self, value)
    }

    private func make<Context, Output>(_: Output.Type, _ context: Context) -> RankCall {
      if shape == .context {
        let body = unsafeBitCast(words, to: ContextRankBody<Context, Output>.self).make()
        return .blocking { world in try encoded(Result { try body(context, world) }) }
      }
      let body = unsafeBitCast(words, to: AsyncContextRankBody<Context, Output>.self).make()
      return .suspending { world in try encoded(await outcome { try await body(context, world) }) }
    }
  }
}

private func outcome<Output>(_ body: () async throws -> Output) async -> Result<Output, any Error> {
  do { return .success(try await body()) } catch { return .failure(error) }
}

/// What the body gave, in bytes. Throws `FailureReport`, which tells its error from one of the coder.
private func encoded<Output>(_ result: Result<Output, any Error>) throws -> ByteBuffer {
  let buffer = ByteBuffer(capacity: 64)
  let value: Output
  do { value = try result.get() } catch { throw FailureReport(.call, error) }
  do { try RankOutput<Output>.encode(value, into: buffer) } catch {
    throw FailureReport(.encodeResult, error)
  }
  return buffer
}
