// The shapes of body a remote function can have. Each is passed as an autoclosure, `() -> (Input) -> Output`,
// which the compiler writes at the call: it captures nothing even where the function value inside it needs a
// context, so its code address alone names the body.
//
// Each lies in a one-field struct before it is cast to two words: casting the bare function value would wrap
// it in a thunk first, with a context on the heap.

@usableFromInline
package struct PlainBody<Input, Output>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Input) throws -> Output
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Input) throws -> Output) {
    self.make = make
  }
}

@usableFromInline
package struct AsyncBody<Input, Output>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Input) async throws -> Output
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Input) async throws -> Output) {
    self.make = make
  }
}

@usableFromInline
package struct ContextBody<Context, Input, Output>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Context, Input) throws -> Output
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Context, Input) throws -> Output) {
    self.make = make
  }
}

@usableFromInline
package struct AsyncContextBody<Context, Input, Output>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Context, Input) async throws -> Output
  @usableFromInline
  init(_ make: @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Output) {
    self.make = make
  }
}

@usableFromInline
package struct VoidBody<Input>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Input) throws -> Void
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Input) throws -> Void) {
    self.make = make
  }
}

@usableFromInline
package struct AsyncVoidBody<Input>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Input) async throws -> Void
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Input) async throws -> Void) {
    self.make = make
  }
}

@usableFromInline
package struct ContextVoidBody<Context, Input>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Context, Input) throws -> Void
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Context, Input) throws -> Void) {
    self.make = make
  }
}

@usableFromInline
package struct AsyncContextVoidBody<Context, Input>: Sendable {
  @usableFromInline package let make: @Sendable () -> @Sendable (Context, Input) async throws -> Void
  @usableFromInline init(_ make: @escaping @Sendable () -> @Sendable (Context, Input) async throws -> Void) {
    self.make = make
  }
}

@usableFromInline
package struct ActionBody: Sendable {
  package let make: @Sendable () -> @Sendable () throws -> Void
}

@usableFromInline
package struct AsyncActionBody: Sendable {
  package let make: @Sendable () -> @Sendable () async throws -> Void
}

/// The innermost loop over a plain body, where the compiler could specialise it for the types of the call.
@usableFromInline
package struct RawLoop: Sendable {
  /// Takes the run and the code address of the body.
  @usableFromInline package let loop: @Sendable (_RawRun, UInt) throws -> Void
  @usableFromInline init(_ loop: @escaping @Sendable (_RawRun, UInt) throws -> Void) { self.loop = loop }
}

/// The two words of a Swift closure.
@usableFromInline
package struct ClosureWords: Hashable, Sendable {
  @usableFromInline var code: UInt
  @usableFromInline var context: UInt
  @usableFromInline package init(code: UInt, context: UInt) { (self.code, self.context) = (code, context) }
}

/// Which of the shapes above a function has.
package enum BodyShape: UInt8, Sendable {
  case plain, async, context, asyncContext
  /// The same without a result.
  case void, asyncVoid, contextVoid, asyncContextVoid
  /// Without an argument either.
  case action, asyncAction

  /// Whether a call may suspend: such calls are made one by one.
  var isAsync: Bool {
    switch self {
    case .plain, .context, .void, .contextVoid, .action: false
    case .async, .asyncContext, .asyncVoid, .asyncContextVoid, .asyncAction: true
    }
  }
}
