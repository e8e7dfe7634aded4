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
    openClosedStreams()
    // Ignored, as by many a daemon's child, it would take the ranks' statuses away; and they would inherit that.
    signal(SIGCHLD, SIG_DFL)
    let first = CommandLine.arguments.dropFirst().first
    if let unknown = UnknownCommand(first, known: ["run", "launch", "doctor", "help"]) {
      exit(withError: ValidationError(unknown.text))
    }
    main(nil)
  }

  /// Where a standard stream is closed (`<&-`), the next file would take its number, and programs would read or write that.
  private static func openClosedStreams() {
    for stream: Int32 in 0...2 where fcntl(stream, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
  }
}
