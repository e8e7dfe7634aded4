import CApus

/// Why a function can't be named to another process.
package struct FunctionProblem: Error, Sendable, CustomStringConvertible {
  package let description: String

  /// What a closure with a context has captured, and what to do about it.
  static func captures(_ context: UInt, at place: CallPlace?) -> FunctionProblem {
    let place = place.map { " of the call at \($0.text)" } ?? ""
    var captures = apus_captures()
    let known = apus_captures_of_context(UnsafeRawPointer(bitPattern: context), &captures)
    if known, captures.values == 1, captures.first_is_function {
      return FunctionProblem(
        description: """
          The body\(place) is a function that was handed on as a parameter, and another process can't be told which \
          one it is. Let the parameter be a RemoteFunction and pass that on, or name the function here.
          """)
    }
    if known, captures.values == 0 {
      return FunctionProblem(
        description: """
          The body\(place) depends on a generic parameter of the code around it, which only an optimised build can \
          resolve. Name a concrete function, or make a RemoteFunction where the types are known.
          """)
    }
    return FunctionProblem(
      description: """
        The body\(place) captures \(known ? "\(captures.values) value\(captures.values == 1 ? "" : "s")" : "a value") \
        of the code around it, and a worker is another process, where they do not exist. Pass what it needs \
        with each input, or once to each worker with `with:`.
        """)
  }

  static func unnameable(_ type: Any.Type) -> FunctionProblem {
    FunctionProblem(
      description: """
        The type \(type) can't be named to another process: it is private or local, and generic or a class. \
        Make it internal and declare it outside of functions.
        """)
  }

  static let notInProgram = FunctionProblem(
    description: "The body lies in no loaded image of the program; code made at run time can't be named.")
}
