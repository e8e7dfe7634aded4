import Glibc
import Synchronization
import TestSupport

/// Marks that tasks leave for each other and for the test, in whatever process: files of a folder.
struct Marks: Codable, Sendable {
  let path: String

  /// Creates the mark, or adds a line to it.
  func set(_ name: String, _ line: String = "") {
    let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { fatalError("can't write a mark in \(path)") }
    // One write with O_APPEND: lines of several processes do not run into each other.
    let bytes = Array((line + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
  }

  func isSet(_ name: String) -> Bool { access("\(path)/\(name)", F_OK) == 0 }

  /// The lines that were added to a mark.
  func lines(_ name: String) -> [String] {
    guard let file = fopen("\(path)/\(name)", "re") else { return [] }
    defer { fclose(file) }
    var text: [UInt8] = []
    while case let byte = getc(file), byte != EOF { text.append(UInt8(byte)) }
    return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Blocks until the mark is there. False if it did not come within a time that is as good as for ever.
  @discardableResult
  func wait(for name: String, seconds: Int = hung) -> Bool {
    for _ in 0..<(seconds * 1000) {
      if isSet(name) { return true }
      usleep(1000)
    }
    return false
  }
}

/// A folder of its own for each test, removed in the end.
final class TemporaryFolder: Sendable {
  let path: String
  var marks: Marks { Marks(path: path) }

  init() {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { fatalError("can't make a temporary folder") }
    path = String(cString: made)
  }

  deinit {
    guard let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink("\(path)/\(name)")
    }
    closedir(folder)
    rmdir(path)
  }
}
