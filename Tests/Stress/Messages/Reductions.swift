import Apus
import StressSupport

/// An operator, and what it does to two values.
struct Operator<Value: Codable & SendableMetatype>: Sendable {
  let operation: ReduceOperator<Value>
  let combine: @Sendable (Value, Value) -> Value

  init(_ operation: ReduceOperator<Value>, _ combine: @escaping @Sendable (Value, Value) -> Value) {
    (self.operation, self.combine) = (operation, combine)
  }

  /// One of one's own, which does not commute.
  static var last: Operator { Operator(ReduceOperator { $1 }) { $1 } }
}

/// What can be reduced as memory.
protocol Reducible: Made, RawCodable {
  static var operators: [Operator<Self>] { get }
  /// Combines arrays element by element. A requirement, so that each type has its own: code that does not know the type,
  /// since that is picked at random, takes many times as long, and the other ranks wait.
  static func combine(_ left: [Self], _ right: [Self], _ combine: (Self, Self) -> Self) -> [Self]
}

extension Reducible {
  static func combine(_ left: [Self], _ right: [Self], _ combine: (Self, Self) -> Self) -> [Self] {
    var result = left
    for index in result.indices { result[index] = combine(left[index], right[index]) }
    return result
  }
}

extension Reducible where Self: FixedWidthInteger {
  static var operators: [Operator<Self>] {
    [
      Operator(.sum) { $0 &+ $1 }, Operator(.product) { $0 &* $1 }, Operator(.min) { Swift.min($0, $1) },
      Operator(.max) { Swift.max($0, $1) },
      Operator(.bitwiseAnd) { $0 & $1 }, Operator(.bitwiseOr) { $0 | $1 }, Operator(.bitwiseXor) { $0 ^ $1 },
      .last,
    ]
  }
}

extension Int: Reducible {}
extension Int32: Reducible {}
extension UInt8: Reducible {}

extension Double: Reducible {
  static var operators: [Operator<Double>] {
    [
      Operator(.sum) { $0 + $1 }, Operator(.min) { Swift.min($0, $1) }, Operator(.max) { Swift.max($0, $1) },
      .last,
    ]
  }
}

extension Affine: Reducible {
  static var operators: [Operator<Affine>] {
    [Operator(ReduceOperator { $0.then($1) }) { $0.then($1) }, .last]
  }
}

let reducibles: [any Reducible.Type] = [Int.self, Int32.self, UInt8.self, Double.self, Affine.self]

let textOperators: [Operator<String>] = [
  Operator(ReduceOperator { $0 + $1 }) { $0 + $1 }, Operator(.min) { Swift.min($0, $1) },
  Operator(.max) { Swift.max($0, $1) },
  .last,
]

// Collective operations that combine values, against what they must give.
extension Group {
  /// The values of some ranks combined in their order.
  private func combined<T>(_ ranks: Range<Int>, _ combine: (T, T) -> T, _ value: (Int) -> T) -> T {
    ranks.dropFirst().reduce(value(ranks.lowerBound)) { combine($0, value($1)) }
  }

  private func elementwise<T>(_ combine: @escaping (T, T) -> T) -> ([T], [T]) -> [T] {
    { zip($0, $1).map { combine($0, $1) } }
  }

  /// Plain values one by one, and texts of any length.
  func reduceValue() throws {
    var random = random()
    let (root, isToAll, length, pick) = (
      random.below(size), random.below(2) == 0, random.length() / 50, random.next()
    )
    func texts(_ rank: Int) -> String { made(rank, size: length) }
    if random.below(2) == 0 {
      let op = textOperators[Int(pick % 4)]
      let wanted = combined(ranks, op.combine, texts)
      let got =
        isToAll
        ? try communicator.allReduce(texts(rank), op.operation)
        : try communicator.reduce(texts(rank), op.operation, to: root)
      return try expect(got, isToAll || rank == root ? wanted : nil)
    }
    func play<T: Reducible>(_ type: T.Type) throws {
      let op = T.operators[Int(pick % UInt64(T.operators.count))]
      let wanted = combined(ranks, op.combine) { made(type, $0, size: 0) }
      let mine = made(type, rank, size: 0)
      let got =
        isToAll
        ? try communicator.allReduce(mine, op.operation)
        : try communicator.reduce(mine, op.operation, to: root)
      try expect(got, isToAll || rank == root ? wanted : nil)
    }
    try play(reducibles[random.below(reducibles.count)])
  }

  /// Arrays of what has to be encoded, element by element.
  func reduceTexts() throws {
    var random = random()
    let (length, op) = (random.length() / 50, textOperators[random.below(4)])
    func texts(_ rank: Int) -> [String] { made(rank, size: length) }
    let wanted = combined(ranks, elementwise(op.combine), texts)
    try expect(communicator.allReduce(texts(rank), op.operation), wanted)
  }

  func reduceElements() throws {
    var random = random()
    let (root, isToAll, length, pick) = (
      random.below(size), random.below(2) == 0, random.length(), random.next()
    )
    func play<T: Reducible>(_ type: T.Type) throws {
      let op = T.operators[Int(pick % UInt64(T.operators.count))]
      let wanted = combined(ranks, { T.combine($0, $1, op.combine) }) { made([T].self, $0, size: length) }
      let mine = made([T].self, rank, size: length)
      let got =
        isToAll
        ? try communicator.allReduce(mine, op.operation)
        : try communicator.reduce(mine, op.operation, to: root)
      try expect(got, isToAll || rank == root ? wanted : nil)
    }
    try play(reducibles[random.below(reducibles.count)])
  }

  func reduceFlags() throws {
    let mine = made(Bool.self, rank, size: 1)
    let all = ranks.map { made(Bool.self, $0, size: 1) }
    try expect(communicator.allReduce(mine, .and), !all.contains(false), "and")
    try expect(communicator.allReduce(mine, .or), all.contains(true), "or")
    try expect(communicator.allReduce(mine, .xor), all.count { $0 } % 2 == 1, "xor")
  }

  func reduceScatter() throws {
    var random = random()
    let (length, isEqual, pick) = (random.length(), random.below(2) == 0, random.next())
    let unequal = counts(&random, upTo: length / 16 / size)
    func play<T: Reducible>(_ type: T.Type) throws {
      let op = T.operators[Int(pick % UInt64(T.operators.count))]
      let counts = isEqual ? equalShares(of: length / T.unit) : unequal
      func all(_ rank: Int) -> [T] { made(rank, size: counts.reduce(0, +) * T.unit) }
      let wanted = pieces(combined(ranks, { T.combine($0, $1, op.combine) }, all), counts)[rank]
      try expect(communicator.reduceScatter(all(rank), counts: isEqual ? nil : counts, op.operation), wanted)
    }
    try play(reducibles[random.below(reducibles.count)])
  }

  func scanValue() throws {
    var random = random()
    let length = random.length() / 50
    let (op, isExclusive) = (textOperators[random.below(4)], random.below(2) == 0)
    func text(_ rank: Int) -> String { made(rank, size: length) }
    if isExclusive {
      let wanted = rank == 0 ? nil : combined(0..<rank, op.combine, text)
      try expect(communicator.exclusiveScan(text(rank), op.operation), wanted)
    } else {
      try expect(communicator.scan(text(rank), op.operation), combined(0..<rank + 1, op.combine, text))
    }
  }

  func scanElements() throws {
    var random = random()
    let (length, isExclusive, pick) = (random.length(), random.below(2) == 0, random.next())
    func play<T: Reducible>(_ type: T.Type) throws {
      let op = T.operators[Int(pick % UInt64(T.operators.count))]
      func values(_ rank: Int) -> [T] { made(rank, size: length) }
      let combine: ([T], [T]) -> [T] = { T.combine($0, $1, op.combine) }
      if isExclusive {
        let wanted = rank == 0 ? nil : combined(0..<rank, combine, values)
        try expect(communicator.exclusiveScan(values(rank), op.operation), wanted)
      } else {
        try expect(communicator.scan(values(rank), op.operation), combined(0..<rank + 1, combine, values))
      }
    }
    try play(reducibles[random.below(reducibles.count)])
  }
}
