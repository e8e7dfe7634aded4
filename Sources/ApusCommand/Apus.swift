import ArgumentParser

@main
struct Apus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus",
    abstract: "Parallel programs: ranks that talk, side by side.",
    version: "0.1.0",
    subcommands: [Launch.self, Doctor.self])
}
