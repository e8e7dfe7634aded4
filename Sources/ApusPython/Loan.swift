import ApusSystem

/// Python's memory, which the engine reads as long as this lives.
final class Loan {
  private static let ended = Locked<[UInt64]>([])
  private let number: UInt64

  init(_ number: UInt64) { self.number = number }

  // The interpreter is not called from here: this is any thread, with the engine's lock held.
  deinit { Self.ended.withLock { $0.append(number) } }

  static func takeEnded(_ most: Int) -> [UInt64] {
    ended.withLock { ended in
      let taken = Array(ended.prefix(most))
      ended.removeFirst(taken.count)
      return taken
    }
  }
}

/// Which loans have ended since this was last asked; each is named once. Returns how many, at most `room`.
@c(apus_py_loans_ended)
public func loansEnded(_ place: UnsafeMutablePointer<UInt64>, _ room: Int64) -> Int64 {
  let ended = Loan.takeEnded(Int(room))
  for (index, number) in ended.enumerated() { place[index] = number }
  return Int64(ended.count)
}
