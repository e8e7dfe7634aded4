import ArgumentParser
import Glibc

@main
struct Apus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus",
    abstract: "Parallel programs: commands side by side, and ranks that talk.",
    version: "0.1.0",
    subcommands: [Run.self, Launch.self, Doctor.self])

  static func main() {
    let first = CommandLine.arguments.dropFirst().first
    openClosedStreams(asUnusable: first == "run")
    // Ignored, as by many a daemon's child, it would take the ranks' statuses away; and they would inherit that.
    signal(SIGCHLD, SIG_DFL)
    if let unknown = UnknownCommand(first, known: ["run", "launch", "doctor", "help"]) {
      exit(withError: ValidationError(unknown.text))
    }
    main(nil)
  }

  /// Whether there is no standard output.
  // Sound: written once, before there is a second thread.
  nonisolated(unsafe) private(set) static var hasClosedOutput = false

  /// Where a standard stream is closed (`<&-`), the next file would take its number, and programs would read or write that.
  ///
  /// - Parameter asUnusable: Whether reading and writing them fails, as it did before.
  private static func openClosedStreams(asUnusable: Bool) {
    hasClosedOutput = fcntl(1, F_GETFD) < 0
    for stream: Int32 in 0...2 where fcntl(stream, F_GETFD) < 0 {
      _ = open("/dev/null", !asUnusable ? O_RDWR : stream == 0 ? O_WRONLY : O_RDONLY)
    }
  }
}
