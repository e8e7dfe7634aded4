/// What a reduction has so far on a rank, and what has come in to be combined with it: so that the rounds of a
/// reduction are written once for arrays of elements and for values of any length.
protocol Operand {
  /// What this rank has so far. Valid until the operand next changes.
  var current: UnsafeRawBufferPointer { get }
  var isCommutative: Bool { get }

  mutating func receive(from source: Int, over ranks: some PointToPoint, tag: Int32) throws

  /// Sends what this rank has so far, and receives.
  mutating func exchange(
    to destination: Int, from source: Int, over ranks: some PointToPoint, tag: Int32) throws

  /// Combines what came in with what this rank has so far.
  mutating func combine(incomingIsLeft: Bool) throws

  /// Makes what came in what this rank has.
  mutating func adopt()

  /// Receives in place of what this rank has.
  mutating func replace(from source: Int, over ranks: some PointToPoint, tag: Int32) throws
}
