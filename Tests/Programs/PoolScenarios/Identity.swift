import Apus
import Glibc

/// What a process knows of itself.
enum Identity {
  /// As a body sees it that is written for the program itself.
  static let arguments = CommandLine.arguments

  /// The name, the arguments, a variable, and the name that `ps` shows; bytes that are no ASCII as a C program would.
  static func ofThisProcess() -> String {
    var words = (0..<Int(CommandLine.argc)).map { escaped(CommandLine.unsafeArgv[$0]!) }
    words[0] = String(words[0].split(separator: "/").last!)
    guard arguments.count == words.count else { return "\(arguments)" }
    words.append(getenv("APUS_TEST_LATIN").map { escaped($0) } ?? "nil")
    var name = [CChar](repeating: 0, count: 64)
    if let file = fopen("/proc/self/comm", "re") {
      fgets(&name, 63, file)
      fclose(file)
    }
    words.append(escaped(name))
    return words.joined(separator: "|")
  }

  private static func escaped(_ text: UnsafePointer<CChar>) -> String {
    var result = ""
    var next = text
    while next.pointee != 0 {
      let byte = UInt8(bitPattern: next.pointee)
      if byte >= 0x80 {
        result += "\\" + String(byte, radix: 8)
      } else if byte != 10 {
        result.append(Character(UnicodeScalar(byte)))
      }
      next += 1
    }
    return result
  }

  static func play() async throws {
    print(ofThisProcess())
    try await withProcessPool(workers: 1) { pool in
      print(try await pool.run(0) { (_: Int) in ofThisProcess() })
      print(
        try await pool.run(0) { (_: Int) async throws in
          try await withProcessPool(workers: 1) { try await $0.run(0) { (_: Int) in ofThisProcess() } }
        })
    }
  }
}
