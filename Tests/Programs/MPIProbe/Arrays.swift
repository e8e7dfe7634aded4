// Arrays in and out, so that the checks read as what they check.
import ApusMessages

extension MPICommunicator {
  func send(_ values: [Int32], to destination: Int, tag: Int32) throws(MPIFailure) {
    try with(values) { bytes throws(MPIFailure) in try send(bytes, to: destination, tag: tag) }
  }

  /// The message and its status, received into room for `capacity` numbers.
  func receive(
    capacity: Int, from source: Int, tag: Int32
  ) throws(MPIFailure) -> (values: [Int32], status: MPIStatus) {
    var room = [Int32](repeating: -7, count: capacity)
    let status = try filling(&room) { buffer throws(MPIFailure) in
      try receive(into: buffer, from: source, tag: tag)
    }
    return (Array(room.prefix(status.count / 4)), status)
  }

  func sum<T: MPINumber>(_ values: [T]) throws(MPIFailure) -> [T] { try allReduce(values, .sum) }

  func allReduce<T: MPINumber>(_ values: [T], _ operation: StandardOperation) throws(MPIFailure) -> [T] {
    var result = values
    try filling(&result) { buffer throws(MPIFailure) in
      try over(startAllReduce(buffer, MPIReduction(operation, T.self)))
    }
    return result
  }

  func over(_ request: MPIRequest) throws(MPIFailure) {
    var request = request
    try request.wait()
  }
}

func with<T: BitwiseCopyable, R>(
  _ values: [T], _ body: (UnsafeRawBufferPointer) throws(MPIFailure) -> R
) throws(MPIFailure) -> R {
  try reading(values) { buffer throws(MPIFailure) in try body(UnsafeRawBufferPointer(buffer)) }
}

func filling<T: BitwiseCopyable, R>(
  _ values: inout [T], _ body: (UnsafeMutableRawBufferPointer) throws(MPIFailure) -> R
) throws(MPIFailure) -> R {
  try using(&values) { buffer throws(MPIFailure) in try body(UnsafeMutableRawBufferPointer(buffer)) }
}

func reading<T, R>(
  _ values: [T], _ body: (UnsafeBufferPointer<T>) throws(MPIFailure) -> R
) throws(MPIFailure) -> R {
  try values.withUnsafeBufferPointer(body)
}

func using<T, R>(
  _ values: inout [T], _ body: (UnsafeMutableBufferPointer<T>) throws(MPIFailure) -> R
) throws(MPIFailure) -> R {
  try values.withUnsafeMutableBufferPointer { buffer throws(MPIFailure) in try body(buffer) }
}
