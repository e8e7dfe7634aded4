package import ApusWire

/// A function in a worker, as the worker's loop calls it: bytes in, bytes out.
///
/// A Swift program's runners call its functions; another language's worker brings its own.
package protocol ElementRunner: AnyObject {
  /// Runs one element. Gives its result to `output`, once, or throws a `FailureReport`.
  func run(_ input: ElementInput, output: WorkerLoop) throws

  /// Runs elements whose inputs and outputs are plain memory. Throws what the body throws.
  func run(_ run: _RawRun) throws

  /// The strides of those, if the function has such.
  var strides: (input: Int, output: Int)? { get }

  /// Where the function is.
  var code: FunctionCode { get }
}

/// One element's argument.
package enum ElementInput {
  case bytes(UnsafeRawBufferPointer)
  /// `length` bytes that are still on their way, to be read with `WorkerLoop.read(into:)`, all of them.
  case stream(length: Int)
}
