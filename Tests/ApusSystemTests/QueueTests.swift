import Testing

@testable import ApusSystem

@Suite struct QueueTests {
  private final class Counted {
    let number: Int
    let alive: Locked<Int>
    init(_ number: Int, _ alive: Locked<Int>) {
      (self.number, self.alive) = (number, alive)
      alive.withLock { $0 += 1 }
    }
    deinit { alive.withLock { $0 -= 1 } }
  }

  /// Whatever is done at both ends, it holds what an array would, and lets go of what it does not hold.
  @Test(arguments: 1...20) func isAsAnArray(seed: UInt64) {
    let alive = Locked(0)
    var state = seed
    func below(_ bound: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % bound
    }
    do {
      let queue = Queue<Counted>()
      var model: [Int] = []
      for step in 0..<2000 {
        switch below(seed % 2 == 0 ? 6 : 9) {
        case 0, 6, 7:
          queue.append(Counted(step, alive))
          model.append(step)
        case 1, 8:
          queue.prepend(Counted(step, alive))
          model.insert(step, at: 0)
        case 2: #expect(queue.popFirst()?.number == (model.isEmpty ? nil : model.removeFirst()))
        case 3: #expect(queue.popLast()?.number == model.popLast())
        case 4 where !model.isEmpty:
          let index = Int(below(UInt64(model.count)))
          queue[index] = Counted(-step, alive)
          model[index] = -step
        default:
          if below(200) == 0 {
            queue.removeAll()
            model = []
          }
        }
        #expect(queue.count == model.count && queue.isEmpty == model.isEmpty)
        #expect(queue.first?.number == model.first && queue.last?.number == model.last)
        #expect(alive.withLock { $0 } == model.count)
      }
      #expect(model.indices.allSatisfy { queue[$0].number == model[$0] })
      #expect(model.isEmpty || queue.contains { $0.number == model[0] })
    }
    #expect(alive.withLock { $0 } == 0)
  }
}
