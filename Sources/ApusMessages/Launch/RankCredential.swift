/// A rank's bootstrap credential, in its environment: where to join, which rank it is, and a token that
/// proves it.
///
/// The token keeps a rank apart from other processes of the same user, which could not see it without looking into
/// the rank's environment. It is good for one joining: a credential is inherited by everything that a rank's program
/// starts before it joins.
package struct RankCredential: Sendable, Hashable {
  /// The environment variable that holds it.
  package static let variable = "APUS_RANK"
  /// More are a mistake: each takes some four descriptors of the launcher.
  package static let mostRanks = LocalMemory.largestSize

  let bootstrap: String
  let rank: Int
  let size: Int
  let token: String

  /// As it stands in the environment: `<bootstrap>:<rank>:<size>:<token>`.
  var text: String { "\(bootstrap):\(rank):\(size):\(token)" }

  init(bootstrap: String, rank: Int, size: Int, token: String) {
    (self.bootstrap, self.rank, self.size, self.token) = (bootstrap, rank, size, token)
  }

  init(parsing text: String) throws(LaunchError) {
    let fields = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      .map { String($0) ?? "" }
    guard fields.count == 4, let size = decimal(fields[2]), let rank = decimal(fields[1]),
      1...Self.mostRanks ~= size, 0..<size ~= rank,
      1...100 ~= fields[0].utf8.count, isHex(fields[3]), fields[3].utf8.count == 32
    else {
      throw LaunchError(
        .badCredential,
        "the environment variable \(Self.variable) holds no credential of `apus launch`. "
          + "Unset it to run this program alone.")
    }
    self.init(bootstrap: fields[0], rank: rank, size: size, token: fields[3])
  }

  static func randomHex(digits: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("0123456789abcdef".utf8)
    var bits: UInt64 = 0
    return String(
      decoding: (0..<digits).map { digit in
        // Each draw is a system call.
        bits = digit % 16 == 0 ? generator.next() : bits >> 4
        return alphabet[Int(bits & 15)]
      }, as: UTF8.self)
  }
}

/// A number in plain decimal digits: `Int` alone takes a sign too.
func decimal(_ text: some StringProtocol) -> Int? {
  guard 1...9 ~= text.utf8.count, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
    return nil
  }
  return Int(text)
}

private func isHex(_ text: String) -> Bool {
  text.utf8.allSatisfy {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
  }
}
