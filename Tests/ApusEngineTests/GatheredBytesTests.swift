import Testing

@testable import ApusEngine

@Suite struct GatheredBytesTests {
  /// However they lie, and however they are taken, the bytes are the same, in order.
  @Test(arguments: 1...50) func areTakenInOrder(seed: UInt64) {
    var dice = Dice(seed)
    func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &dice) }
    let bytes = (0..<below(5000)).map { _ in UInt8(below(256)) }
    bytes.withUnsafeBytes { bytes in
      var pieces: [UnsafeRawBufferPointer] = []
      var start = 0
      while start < bytes.count {
        let length = min(below(4) == 0 ? 0 : below(700), bytes.count - start)
        // Of no bytes there may be no place.
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
        pieces.append(length == 0 && below(2) == 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : piece)
        start += length
      }
      var gathered = GatheredBytes(pieces)
      var taken: [UInt8] = []
      #expect(gathered.count == bytes.count)
      while gathered.count > 0 {
        let part = [UInt8](unsafeUninitializedCapacity: 1000) { place, count in
          count = min(below(1000), gathered.count)
          gathered.move(count, to: UnsafeMutableRawPointer(place.baseAddress!))
        }
        taken += part
        #expect(gathered.count == bytes.count - taken.count)
      }
      #expect(taken.elementsEqual(bytes))
    }
  }

  @Test func ofNothingNothingIsTaken() {
    var gathered = GatheredBytes([])
    withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { gathered.move(0, to: $0.baseAddress!) }
    #expect(gathered.count == 0)
  }
}
