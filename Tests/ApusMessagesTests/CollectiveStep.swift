import ApusSystem
import ApusMessages

/// One collective operation of a test, with what goes into it.
struct CollectiveStep: Sendable, CustomStringConvertible {
  enum Operation: Sendable {
    case barrier(BarrierAlgorithm?)
    case broadcast(BroadcastAlgorithm?), broadcastValue
    case gather(GatherAlgorithm?), gatherUnequal, gatherValues
    case scatter(GatherAlgorithm?), scatterUnequal, scatterValues
    case allGather(AllGatherAlgorithm?), allGatherUnequal(AllGatherAlgorithm?), allGatherValues
    case allToAll(AllToAllAlgorithm?), allToAllUnequal, allToAllValues
    case reduce(ReduceAlgorithm?, isCommutative: Bool), reduceValues(isCommutative: Bool)
    case allReduce(AllReduceAlgorithm?), allReduceValues
    case reduceScatter(ReduceScatterAlgorithm?), reduceScatterUnequal(ReduceScatterAlgorithm?)
    case scan(ScanAlgorithm?, isExclusive: Bool), scanValues(isExclusive: Bool)
  }

  let operation: Operation
  let root: Int
  /// Bytes or elements, each or in all: what the operation asks for.
  let length: Int
  let data: MadeUp

  init(_ operation: Operation, root: Int = 0, length: Int, seed: UInt64) {
    (self.operation, self.root, self.length, data) = (operation, root, length, MadeUp(seed: seed))
  }

  var description: String { "\(operation) root \(root) length \(length) seed \(data.seed)" }

  /// Every operation with every algorithm that is possible on `size` ranks, and with the one that is chosen.
  static func operations(size: Int, chosen: Bool = true) -> [Operation] {
    func every<A: CaseIterable>(_ algorithm: A.Type) -> [A?] { A.allCases.map { $0 } + (chosen ? [nil] : []) }
    var all: [Operation] = [
      .broadcastValue, .gatherUnequal, .gatherValues, .scatterUnequal, .scatterValues,
      .allGatherValues,
      .allToAllUnequal, .allToAllValues, .reduceValues(isCommutative: true),
      .reduceValues(isCommutative: false),
      .allReduceValues, .scanValues(isExclusive: true), .scanValues(isExclusive: false),
    ]
    all += every(BarrierAlgorithm.self).map { .barrier($0) }
    all += every(BroadcastAlgorithm.self).map { .broadcast($0) }
    all += every(GatherAlgorithm.self).flatMap { [.gather($0), .scatter($0)] }
    let isPowerOf2 = size & (size - 1) == 0
    all += every(AllGatherAlgorithm.self).filter { $0 != .recursiveDoubling || isPowerOf2 }
      .flatMap { [.allGather($0), .allGatherUnequal($0)] }
    all += every(AllToAllAlgorithm.self).map { .allToAll($0) }
    all += every(ReduceAlgorithm.self)
      .flatMap { [.reduce($0, isCommutative: true), .reduce($0, isCommutative: false)] }
    all += every(AllReduceAlgorithm.self).map { .allReduce($0) }
    all += every(ReduceScatterAlgorithm.self).flatMap {
      [.reduceScatter($0), .reduceScatterUnequal($0)]
    }
    all += every(ScanAlgorithm.self)
      .flatMap { [.scan($0, isExclusive: true), .scan($0, isExclusive: false)] }
    return all
  }

  /// Whether what a rank sends has a length that its receiver knows.
  var hasKnownLengths: Bool {
    switch operation {
    case .broadcastValue, .gatherValues, .scatterValues, .allGatherValues, .allToAllValues, .reduceValues,
      .allReduceValues, .scanValues:
      false
    default: true
    }
  }
}
