/// What ranks and their supervisor say to each other, each one message of text on the connection.
///
///     rank        apus-rank 2 join <rank> <size> <token> <process>
///     supervisor  apus-rank 2 welcome <rank> <size> <process group>      (with the shared memory's descriptor)
///     supervisor  apus-rank 2 taken <text>        apus-rank 2 refused <text>
///     rank        apus-rank 2 result                                     (with a parcel's descriptor)
///     rank        apus-rank 2 finalized           apus-rank 2 abort
///
/// Neither side believes the other: what does not read exactly like this is an error.
enum RankMessage: Hashable {
  /// `process` is its number in its own PID namespace.
  case join(rank: Int, size: Int, token: String, process: Int32)
  case welcome(rank: Int, size: Int, group: Int32)
  case taken(String)
  case refused(String)
  /// What the body of a rank of `withRanks` came to.
  case result
  case finalized
  /// The whole job is to end.
  case abort

  /// Longer messages are none of ours.
  static let longest = 1024
  private static let mark = "apus-rank 2 "

  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self),
      text.hasPrefix(Self.mark)
    else { return nil }
    let rest = text.dropFirst(Self.mark.count)
    let words = rest.split(separator: " ", omittingEmptySubsequences: false)
    switch (words[0], words.count) {
    case ("join", 5):
      guard let rank = decimal(words[1]), let size = decimal(words[2]), let process = decimal(words[4]) else {
        return nil
      }
      self = .join(rank: rank, size: size, token: String(words[3]), process: Int32(process))
    case ("welcome", 4):
      guard let rank = decimal(words[1]), let size = decimal(words[2]), let group = decimal(words[3]) else {
        return nil
      }
      self = .welcome(rank: rank, size: size, group: Int32(group))
    case ("taken", 2...): self = .taken(String(rest.dropFirst("taken ".count)))
    case ("refused", 2...): self = .refused(String(rest.dropFirst("refused ".count)))
    case ("result", 1): self = .result
    case ("finalized", 1): self = .finalized
    case ("abort", 1): self = .abort
    default: return nil
    }
  }

  var bytes: [UInt8] {
    let text =
      switch self {
      case .join(let rank, let size, let token, let process): "join \(rank) \(size) \(token) \(process)"
      case .welcome(let rank, let size, let group): "welcome \(rank) \(size) \(group)"
      case .taken(let text): "taken \(text)"
      case .refused(let text): "refused \(text)"
      case .result: "result"
      case .finalized: "finalized"
      case .abort: "abort"
      }
    return Array((Self.mark + text).utf8)
  }
}
