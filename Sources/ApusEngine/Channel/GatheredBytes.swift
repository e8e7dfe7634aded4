/// Bytes that lie in several places, taken one after the other.
struct GatheredBytes {
  private var pieces: ArraySlice<UnsafeRawBufferPointer>
  /// How many are left.
  private(set) var count: Int

  init(_ pieces: [UnsafeRawBufferPointer]) {
    self.pieces = pieces[...]
    count = pieces.reduce(0) { $0 + $1.count }
  }

  /// Copies the next `wanted` bytes, of which there are as many, and passes them.
  mutating func move(_ wanted: Int, to place: UnsafeMutableRawPointer) {
    var done = 0
    while done < wanted {
      let piece = pieces[pieces.startIndex]
      let part = min(piece.count, wanted - done)
      if part > 0 { (place + done).copyMemory(from: piece.baseAddress!, byteCount: part) }
      done += part
      if part == piece.count {
        pieces.removeFirst()
      } else {
        pieces[pieces.startIndex] = UnsafeRawBufferPointer(rebasing: piece[part...])
      }
    }
    count -= wanted
  }
}
