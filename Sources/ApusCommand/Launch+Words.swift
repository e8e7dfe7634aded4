import ApusSystem
import ApusMessages

// What the parser has as `String` need not be UTF-8: file names, mostly. What is handed on is taken from the words that
// the command was started with.
extension Launch {
  /// The program, where it was found, and its arguments.
  func programRequest() throws(LaunchError) -> SpawnRequest {
    let words = commandAsItCame
    return SpawnRequest(path: try ProgramSearch.find(words[0]), arguments: words)
  }

  /// `command` is the end of the words.
  private var commandAsItCame: [ByteString] {
    let words = Array(ProgramCommand.programArguments.suffix(command.count))
    return words.map(\.description) == command ? words : command.map { ByteString($0) }
  }

  /// The values of `--mpi-option`, which stand before the command.
  var mpiOptionsAsTheyCame: [ByteString] {
    let name = "--mpi-option"
    var words = ProgramCommand.programArguments.dropLast(command.count)
    var found: [ByteString] = []
    while let word = words.popFirst() {
      if word.hasPrefix(name + "=") {
        found.append(ByteString(word.bytes.dropFirst(name.utf8.count + 1)))
      } else if word == ByteString(name), let value = words.popFirst() {
        found.append(value)
      }
    }
    return found.map(\.description) == mpiOptions ? found : mpiOptions.map { ByteString($0) }
  }
}
