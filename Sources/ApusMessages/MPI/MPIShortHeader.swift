/// Headers that fit into the tag of their MPI message: those of one number, under a small tag, in one of the first
/// communicators.
///
/// Eight bytes travel in the cache line of the library's own header. With a header of ours before them they would take
/// a second line, and a fifth more time.
struct MPIShortHeader {
  /// The tag of a message whose header stands in front of its bytes.
  static let none: Int32 = 0

  // From below, and 1 more, since 0 is `none`.
  private static let kindBits: Int32 = 4
  private static let contextBits: Int32 = 8
  private static let tagBits: Int32 = 10

  /// Which numbers, by their place here; the most usual ones first.
  private let kinds: [(type: UInt64, size: Int)]
  private let isUsable: Bool

  init(tagLimit: Int32) {
    func kind<T>(_ type: T.Type) -> (UInt64, Int) { (TypeCode.of(type), MemoryLayout<T>.size) }
    kinds = [
      kind(Int.self), kind(Double.self), kind(Int32.self), kind(Float.self), kind(UInt8.self),
      kind(Int64.self), kind(UInt.self), kind(UInt64.self), kind(UInt32.self), kind(Int16.self),
    ]
    isUsable = tagLimit > 1 << (Self.kindBits + Self.contextBits + Self.tagBits)
  }

  /// The MPI tag that says it all; nil if it can't.
  @inline(__always)
  func tag(of envelope: Envelope) -> Int32? {
    tag(context: envelope.context, tag: envelope.tag, type: envelope.type)
  }

  @inline(__always)
  func tag(context: UInt32, tag: Int32, type: UInt64) -> Int32? {
    guard isUsable, 0 <= tag, tag < 1 << Self.tagBits, context < 1 << Self.contextBits,
      let kind = kinds.firstIndex(where: { $0.type == type })
    else { return nil }
    return 1 + (Int32(kind) | Int32(context) << Self.kindBits | tag << (Self.kindBits + Self.contextBits))
  }

  /// What the tag of a message says; nil if none of us has sent it.
  @inline(__always)
  func envelope(of tag: Int32, from source: Int32) -> Envelope? {
    let word = UInt32(bitPattern: tag) &- 1
    let kind = Int(word & (1 << UInt32(Self.kindBits) - 1))
    guard kind < kinds.count else { return nil }
    return Envelope(
      context: word >> UInt32(Self.kindBits) & (1 << UInt32(Self.contextBits) - 1), source: source,
      tag: Int32(bitPattern: word >> UInt32(Self.kindBits + Self.contextBits)), type: kinds[kind].type,
      count: kinds[kind].size)
  }
}
