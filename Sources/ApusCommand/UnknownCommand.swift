import ArgumentParser

/// The first word of a command line where a command should be.
struct UnknownCommand {
  let word: String
  let known: [String]

  /// Nil if it is a command, an option, or nothing.
  init?(_ word: String?, known: [String]) {
    guard let word, !word.hasPrefix("-"), !known.contains(word) else { return nil }
    (self.word, self.known) = (word, known)
  }

  /// What was meant, if it can be guessed.
  var text: String {
    let nearest = known.min { Self.distance($0, word) < Self.distance($1, word) }
    if let nearest, Self.distance(nearest, word) <= 2 {
      return "there is no command '\(word)': did you mean '\(nearest)'?"
    }
    return "there is no command '\(word)'. To start a program: apus launch -n 4 \(word)"
  }

  /// How many characters have to be put in, left out, exchanged or swapped to make one word of the other.
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.lowercased()), Array(b.lowercased()))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var cost = min(rows[i][j + 1], row[j]) + 1
        cost = min(cost, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, rows[i - 1][j - 1] + 1) }
        row.append(cost)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
