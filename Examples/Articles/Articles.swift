// The code of the documentation's articles, a file an article. `Scripts/docs` checks that what an article shows stands
// here, and `Scripts/test` runs it.
//
//     swift run Articles
import Apus

@main
struct Articles {
  static func main() async throws {
    try await crossToWorkers()
    try await chooseChunksAndLimits()
    try await surviveCrashes()
    try await prepareAndBoundWorkers()
    try await comeFromTaskGroup()
    try await comeFromMultiprocessing()
    try await comeFromMPI()
    try await showTheWork()
    print("every article's code does what it says")
  }
}

/// Ends the program if an article's code does not do what the article says.
func expect<Value: Equatable>(_ value: Value, _ expected: Value, line: Int = #line, file: String = #fileID) {
  if value != expected { fatalError("\(file):\(line): \(value), not \(expected)") }
}
