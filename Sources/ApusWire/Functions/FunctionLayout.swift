import CApus

/// What is taken for granted of how Swift lays out closures and the descriptions of types: see `SwiftLayout`.
package enum FunctionLayout {
  /// Ends the process unless all of it holds.
  static let required: Void = SwiftLayout.require(SwiftLayout.hasBeenLookedAt ? nil : problem())

  /// What differs.
  package static func problem() -> String? {
    guard holdsForClosures else { return "closures" }
    guard holdsForTypes else { return "the descriptions of types" }
    return nil
  }

  /// A closure is two words, its code and its context; without captures the code alone is the closure.
  private static var holdsForClosures: Bool {
    guard MemoryLayout<PlainBody<Int, Int>>.size == MemoryLayout<ClosureWords>.size else { return false }
    let captured = capturable(7)
    let plain = words { (n: Int) in 3 * n }
    guard plain.context == 0, CodeReference(plain.code) != nil,
      words({ (n: Int) in n + captured }).context != 0
    else { return false }
    let again = unsafeBitCast(ClosureWords(code: plain.code, context: 0), to: PlainBody<Int, Int>.self)
    return (try? again.make()(5)) == 15
  }

  /// Generic, as the initialisers of functions are: where the types are known a closure of another kind would be made.
  private static func words<Input, Output>(
    _ body: @autoclosure @escaping @Sendable () -> @Sendable (Input) throws -> Output
  ) -> ClosureWords { unsafeBitCast(PlainBody(body), to: ClosureWords.self) }

  @inline(never)
  @_optimize(none)
  private static func capturable(_ number: Int) -> Int { number }

  /// From a struct or enum to its descriptor and back; no other type is taken for one.
  private static var holdsForTypes: Bool {
    func descriptor(_ type: Any.Type) -> UnsafeRawPointer? {
      apus_descriptor_of_metadata(unsafeBitCast(type, to: UnsafeRawPointer.self))
    }
    for type in [NoContext.self, BodyShape.self] as [Any.Type] {
      guard let found = descriptor(type),
        apus_metadata_of_descriptor(found) == unsafeBitCast(type, to: UnsafeRawPointer.self)
      else { return false }
    }
    let others: [Any.Type] = [[Int].self, Int?.self, FunctionSource.self, ((Int) -> Int).self]
    return others.allSatisfy { descriptor($0) == nil }
  }
}
