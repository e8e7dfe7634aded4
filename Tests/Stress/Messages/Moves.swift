import Apus
import StressSupport

// Collective operations that move values, against what they must give.
extension Group {
  func broadcastValue() throws {
    var random = random()
    let (root, length) = (random.below(size), random.length())
    func play<T: Made>(_ type: T.Type) throws {
      let value = made(type, root, size: length)
      try expect(communicator.broadcast(rank == root ? value : nil, from: root), value)
    }
    try play(kinds[random.below(kinds.count)])
  }

  func broadcastBuffer() throws {
    var random = random()
    let (root, length) = (random.below(size), random.length())
    func play<T: Made & RawCodable>(_ type: T.Type) throws {
      let value = made([T].self, root, size: length)
      var mine = rank == root ? value : made([T].self, rank, size: length)
      try mine.withUnsafeMutableBufferPointer { try communicator.broadcast(into: $0, from: root) }
      try expect(mine, value)
    }
    try play(elements[random.below(elements.count)])
  }

  func scatterValues() throws {
    var random = random()
    let (root, length) = (random.below(size), random.length() / size)
    func play<T: Made>(_ type: T.Type) throws {
      let values = rank == root ? ranks.map { made(type, root, $0, size: length) } : nil
      try expect(communicator.scatter(values, from: root), made(type, root, rank, size: length))
    }
    try play(kinds[random.below(kinds.count)])
  }

  func scatterElements() throws {
    var random = random()
    let (root, length, isEqual) = (random.below(size), random.length(), random.below(2) == 0)
    let key = random.next()
    func play<T: Made & RawCodable>(_ type: T.Type) throws {
      var random = Random(key)
      let counts =
        isEqual ? equalShares(of: length / T.unit) : counts(&random, upTo: length / T.unit / size)
      let all: [T] = made(root, size: counts.reduce(0, +) * T.unit)
      let mine = try communicator.scatter(
        dividing: rank == root ? all : nil, counts: rank == root && !isEqual ? counts : nil, from: root)
      try expect(mine, pieces(all, counts)[rank])
    }
    try play(elements[random.below(elements.count)])
  }

  func gatherValues() throws {
    var random = random()
    let (root, length) = (random.below(size), random.length() / size)
    func play<T: Made>(_ type: T.Type) throws {
      let values = try communicator.gather(made(type, rank, size: length), to: root)
      try expect(values, rank == root ? ranks.map { made(type, $0, size: length) } : nil)
    }
    try play(kinds[random.below(kinds.count)])
  }

  func gatherElements() throws {
    var random = random()
    let root = random.below(size)
    let counts = counts(&random, upTo: random.length() / size)
    func play<T: Made & RawCodable>(_ type: T.Type) throws {
      let all = try communicator.gather(concatenating: made([T].self, rank, size: counts[rank]), to: root)
      try expect(all, rank == root ? ranks.flatMap { made([T].self, $0, size: counts[$0]) } : nil)
    }
    try play(elements[random.below(elements.count)])
  }

  func allGatherValues() throws {
    var random = random()
    let length = random.length() / size
    func play<T: Made>(_ type: T.Type) throws {
      let values = try communicator.allGather(made(type, rank, size: length))
      try expect(values, ranks.map { made(type, $0, size: length) })
    }
    try play(kinds[random.below(kinds.count)])
  }

  func allGatherElements() throws {
    var random = random()
    let counts = counts(&random, upTo: random.length() / size)
    func play<T: Made & RawCodable>(_ type: T.Type) throws {
      let all = try communicator.allGather(concatenating: made([T].self, rank, size: counts[rank]))
      try expect(all, ranks.flatMap { made([T].self, $0, size: counts[$0]) })
    }
    try play(elements[random.below(elements.count)])
  }

  func allToAllValues() throws {
    var random = random()
    let length = random.length() / size / size
    func play<T: Made>(_ type: T.Type) throws {
      let values = try communicator.allToAll(ranks.map { made(type, rank, $0, size: length) })
      try expect(values, ranks.map { made(type, $0, rank, size: length) })
    }
    try play(kinds[random.below(kinds.count)])
  }

  func allToAllElements() throws {
    var random = random()
    let (length, isEqual) = (random.length() / size, random.below(2) == 0)
    let all = ranks.map { _ in counts(&random, upTo: length / size) }
    func play<T: Made & RawCodable>(_ type: T.Type) throws {
      func counts(_ rank: Int) -> [Int] { isEqual ? equalShares(of: length / T.unit) : all[rank] }
      func sent(_ rank: Int) -> [T] { made(rank, size: counts(rank).reduce(0, +) * T.unit) }
      let got = try communicator.allToAll(dividing: sent(rank), counts: isEqual ? nil : counts(rank))
      try expect(got, ranks.flatMap { pieces(sent($0), counts($0))[rank] })
    }
    try play(elements[random.below(elements.count)])
  }
}
