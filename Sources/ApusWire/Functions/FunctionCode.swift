import CApus

/// Where a function's code lies in the program, so that a message can name it once its process is gone.
package struct FunctionCode: Sendable, Equatable {
  /// What is called, what that calls if it only adapts a function to a generic caller, and once more. Distances from the
  /// start of the program's image; 0: none.
  package private(set) var places: [UInt64] = [0, 0, 0]

  package init() {}

  package init(_ place: (Int) throws(WorkerProtocolError) -> UInt64) throws(WorkerProtocolError) {
    for index in places.indices { places[index] = try place(index) }
  }

  /// A value of function type, in a struct: see `PlainBody`.
  private struct Holder<Function> { let function: Function }

  /// - Parameter function: A value of function type.
  package init<Function>(of function: Function) { self.init(in: Holder(function: function)) }

  /// - Parameter holder: A struct of one field, a value of function type.
  package init<Holder>(in holder: Holder) {
    var words = unsafeBitCast(holder, to: ClosureWords.self)
    for index in places.indices {
      places[index] = Self.offset(words.code)
      // An adapter's context is an object: two words of header, then the function that was captured. Other contexts hold
      // anything, so nothing is believed: not even that there is memory.
      var context: (UInt, UInt, UInt, UInt) = (0, 0, 0, 0)
      guard places[index] != 0, words.context != 0,
        apus_read_memory(words.context, &context, MemoryLayout.size(ofValue: context))
      else { return }
      words = ClosureWords(code: context.2, context: context.3)
    }
  }

  private static func offset(_ address: UInt) -> UInt64 {
    guard let program, address > program.base, address < program.end else { return 0 }
    return UInt64(address - program.base)
  }

  private static let program: (base: UInt, end: UInt)? = {
    var found = apus_image()
    return apus_image_program(&found) ? (UInt(found.base), UInt(found.end)) : nil
  }()

  /// The function's name, such as `fib(_:)` or `closure #1 in static Main.main()`; nil where the program has no symbol
  /// for it. Reads the program's file: for messages alone.
  package var name: String? {
    for index in places.indices where places[index] != 0 {
      if let name = Self.name(places[index]) { return name }
    }
    return nil
  }

  /// Nil for an adapter.
  private static func name(_ offset: UInt64) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 2048) { buffer in
      guard apus_function_name(offset, buffer.baseAddress!, buffer.count) else { return nil }
      var name = String(cString: buffer.baseAddress!)
      let pointer = "async function pointer to "
      if name.hasPrefix(pointer) { name.removeFirst(pointer.count) }
      if name.hasPrefix("partial apply") || name.hasPrefix("implicit closure") { return nil }
      // The compiler's own closure around each body tells nobody anything.
      while let implicit = name.firstRange(of: " in implicit closure #") {
        let rest = name[implicit.upperBound...].drop { $0.isNumber }
        name = name[..<implicit.lowerBound] + String(rest)
      }
      return name
    }
  }
}
