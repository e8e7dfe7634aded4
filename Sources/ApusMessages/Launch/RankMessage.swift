/// What ranks and their supervisor say to each other, each one message of text on the connection.
///
///     rank        apus-rank 1 join <rank> <size> <token>
///     supervisor  apus-rank 1 welcome <rank> <size> <process group>      (with the shared memory's descriptor)
///     supervisor  apus-rank 1 taken <text>        apus-rank 1 refused <text>
///     rank        apus-rank 1 finalized
///
/// Neither side believes the other: what does not read exactly like this is an error.
enum RankMessage: Hashable {
  case join(rank: Int, size: Int, token: String)
  case welcome(rank: Int, size: Int, group: Int32)
  case taken(String)
  case refused(String)
  case finalized

  /// Longer messages are none of ours.
  static let longest = 1024
  private static let mark = "apus-rank 1 "

  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self),
      text.hasPrefix(Self.mark)
    else { return nil }
    let rest = text.dropFirst(Self.mark.count)
    let words = rest.split(separator: " ", omittingEmptySubsequences: false)
    switch (words[0], words.count) {
    case ("join", 4):
      guard let rank = decimal(words[1]), let size = decimal(words[2]) else { return nil }
      self = .join(rank: rank, size: size, token: String(words[3]))
    case ("welcome", 4):
      guard let rank = decimal(words[1]), let size = decimal(words[2]), let group = decimal(words[3]) else {
        return nil
      }
      self = .welcome(rank: rank, size: size, group: Int32(group))
    case ("taken", 2...): self = .taken(String(rest.dropFirst("taken ".count)))
    case ("refused", 2...): self = .refused(String(rest.dropFirst("refused ".count)))
    case ("finalized", 1): self = .finalized
    default: return nil
    }
  }

  var bytes: [UInt8] {
    let text =
      switch self {
      case .join(let rank, let size, let token): "join \(rank) \(size) \(token)"
      case .welcome(let rank, let size, let group): "welcome \(rank) \(size) \(group)"
      case .taken(let text): "taken \(text)"
      case .refused(let text): "refused \(text)"
      case .finalized: "finalized"
      }
    return Array((Self.mark + text).utf8)
  }
}
