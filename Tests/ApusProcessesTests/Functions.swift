import Glibc

// Small bodies that many tests use.

func double(_ x: Int) -> Int { x * 2 }

struct OddNumber: Error, Codable, Equatable { let number: Int }

func halve(_ x: Int) throws -> Int {
  if x % 2 == 1 { throw OddNumber(number: x) }
  return x / 2
}

/// `exit` where a value is expected.
func leave(_ code: Int32) -> Int { exit(code) }

/// Prints to standard error, with no buffer in between.
func printError(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  _ = write(2, bytes, bytes.count)
}
