/// A body and its types, as another process that runs this program finds them.
package struct FunctionName {
  /// The address of the body's code in this process.
  package let code: UInt
  package let types: [Any.Type]

  /// Appends a body, and the types that it was compiled for.
  package static func append(
    _ body: ClosureWords, at place: CallPlace?, _ types: [Any.Type], to buffer: ByteBuffer
  ) throws(FunctionProblem) {
    FunctionLayout.required
    guard body.context == 0 else { throw .captures(body.context, at: place) }
    guard let place = CodeReference(body.code) else { throw .notInProgram }
    place.append(to: buffer)
    for type in types {
      guard let reference = TypeReference(type) else { throw .unnameable(type) }
      reference.append(to: buffer)
    }
  }

  /// Reads what `append` wrote with so many types. Only of a process that started this one: it can have any code run.
  package init(from reader: inout ByteReader, types count: Int) throws(WorkerProtocolError) {
    FunctionLayout.required
    code = try CodeReference(from: &reader).resolve()
    var types: [Any.Type] = []
    for _ in 0..<count { types.append(try TypeReference(from: &reader, isTrusted: true).resolve()) }
    self.types = types
  }

  /// The words of the closure: without a context, as the other side has checked.
  package var words: ClosureWords { ClosureWords(code: code, context: 0) }
}
