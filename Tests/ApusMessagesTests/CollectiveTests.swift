import ApusSystem
import ApusMessages
import Testing

/// Every operation gives what a sequential program would, with every algorithm, whether sends wait or not.
@Suite struct CollectiveTests {
  static let sizes = Array(1...9) + [16]

  /// Carries steps out one after the other, under one tag: what belongs to one may not be taken for the next.
  static func carryOut(_ steps: [CollectiveStep], _ size: Int, _ sending: Sending) async {
    let results = await ThreadRanks.run(size, sending) { rank in
      for (number, step) in steps.enumerated() {
        do {
          try step.carryOut(number, on: rank, world: rank.ranks)
        } catch let failure as RankFailure where failure == .abandoned {
          throw failure
        } catch {
          throw Mismatch(description: "\(step), rank \(rank.rank) of \(rank.size): \(error)")
        }
      }
    }
    for case .failure(let error) in results where error as? RankFailure != .abandoned {
      Issue.record(error)
    }
  }

  @Test(arguments: sizes, Sending.allCases)
  func everyAlgorithm(size: Int, sending: Sending) async {
    var steps: [CollectiveStep] = []
    for operation in CollectiveStep.operations(size: size) {
      for length in [0, 1, 2, 3, 17, 64] {
        steps.append(
          CollectiveStep(operation, root: steps.count % size, length: length, seed: UInt64(steps.count)))
      }
    }
    await Self.carryOut(steps, size, sending)
  }

  @Test(arguments: 1...6, Sending.allCases)
  func everyRoot(size: Int, sending: Sending) async {
    var steps: [CollectiveStep] = []
    for operation in CollectiveStep.operations(size: size) {
      for root in 0..<size {
        for length in [1, 10] {
          steps.append(CollectiveStep(operation, root: root, length: length, seed: UInt64(steps.count)))
        }
      }
    }
    await Self.carryOut(steps, size, sending)
  }

  /// Several pieces, and a last one that is shorter, of all that goes in pieces.
  @Test(arguments: [1, 2, 3, 5, 8], Sending.allCases)
  func manyPieces(size: Int, sending: Sending) async {
    var steps: [CollectiveStep] = []
    let piece = CollectiveChoice.pieceLength
    for length in [piece - 1, piece, piece + 1, 3 * piece + 5] {
      for operation: CollectiveStep.Operation in [
        .broadcast(.chain), .broadcast(.scatterAllGather), .broadcastValue,
      ] {
        steps.append(CollectiveStep(operation, root: size / 2, length: length, seed: UInt64(steps.count)))
      }
      for isExclusive in [false, true] {
        let count = length / MemoryLayout<Affine>.stride + length % 2
        steps.append(
          CollectiveStep(.scan(.chain, isExclusive: isExclusive), length: count, seed: UInt64(steps.count)))
      }
    }
    for length in [CollectiveChoice.shortValue, CollectiveChoice.shortValue + 1] {
      steps.append(CollectiveStep(.broadcastValue, root: size - 1, length: length, seed: 3))
    }
    await Self.carryOut(steps, size, sending)
  }

  /// Lengths around every threshold, with the algorithm that is chosen for them.
  @Test(arguments: [3, 4, CollectiveChoice.ranksForTree], Sending.allCases)
  func chosenAlgorithms(size: Int, sending: Sending) async {
    var steps: [CollectiveStep] = []
    func add(_ operation: CollectiveStep.Operation, _ lengths: Int...) {
      for length in lengths {
        steps.append(CollectiveStep(operation, root: 1, length: length, seed: UInt64(steps.count)))
      }
    }
    typealias Choice = CollectiveChoice
    let stride = MemoryLayout<Affine>.stride
    add(.gather(nil), Choice.shortGather, Choice.shortGather + 1)
    add(.scatter(nil), Choice.shortGather, Choice.shortGather + 1)
    add(.allToAll(nil), Choice.shortAllToAll, Choice.shortAllToAll + 1)
    add(.reduce(nil, isCommutative: false), Choice.shortReduce / stride, Choice.shortReduce / stride + 1)
    add(.allReduce(nil), Choice.shortReduce / stride, Choice.shortReduce / stride + 1)
    if size < Choice.ranksForTree {
      add(.broadcast(nil), Choice.shortBroadcast, Choice.shortBroadcast + 1)
      add(.broadcast(nil), 2 * size * Choice.pieceLength - 1, 2 * size * Choice.pieceLength)
      for threshold in [Choice.shortAllGather, Choice.shortAllGatherOfAnySize] {
        add(.allGather(nil), threshold / size, threshold / size + 1)
      }
      for threshold in [Choice.shortReduceScatter, Choice.shortReduceScatter / 8] {
        add(.reduceScatter(nil), threshold / stride / size, threshold / stride / size + 1)
      }
      add(.scan(nil, isExclusive: false), size * Choice.pieceLength / stride)
    }
    await Self.carryOut(steps, size, sending)
  }

  @Test(arguments: 0..<20, Sending.allCases)
  func randomPrograms(seed: UInt64, sending: Sending) async {
    let numbers = MadeUp(seed: seed)
    let size = Self.sizes[Int(numbers.number(0, 0) % UInt64(Self.sizes.count))]
    let operations = CollectiveStep.operations(size: size)
    let steps = (0..<60).map { step in
      let pick = { (kind: Int, count: Int) in Int(numbers.number(kind, step) % UInt64(count)) }
      let length = pick(1, 20) == 0 ? pick(2, 600) : pick(2, 40)
      return CollectiveStep(
        operations[pick(3, operations.count)], root: pick(4, size), length: length,
        seed: numbers.number(5, step))
    }
    await Self.carryOut(steps, size, sending)
  }
}
