// Counts known words in lines that are drawn lazily; the set of words is sent once to each worker.
import Apus

func known(_ words: Set<String>, _ line: String) -> Int {
  line.split(separator: " ").count { words.contains(String($0)) }
}

@main
struct WordCount {
  static func main() async throws {
    let words: Set<String> = ["swift", "swallow", "martin"]
    let lines = (1...1000).lazy.map { "swift \($0) and swallow \($0 % 7 == 0 ? "martin" : "lark")" }
    try await withProcessPool(workers: 2) { pool in
      var total = 0
      for try await count in pool.results(of: lines, with: words, order: .completion, known) {
        total += count
      }
      print(total, "known words in 1000 lines")
    }
  }
}
