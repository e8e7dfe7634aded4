// The program that Scripts/stress runs, over and over: one scenario a run. What it finds it prints, for the
// script to judge; what ends or stops a program is the script's to see, from outside.
import PoolStressSaboteur
import StressSupport

/// What one run of the program does.
protocol Scenario: SendableMetatype {
  init(_ findings: Findings)
  mutating func run() async throws
}

@main
struct PoolStress {
  private static let scenarios: [String: any Scenario.Type] = [
    // The table's cells.
    "task": TaskCell.self, "start-up": StartUpCell.self, "idle": IdleCell.self, "transfer": TransferCell.self,
    "parent-side": ParentSideCell.self, "hook": HookCell.self,
    // The other sections.
    "victim": Victim.self, "kills": Kills.self, "laziness": Laziness.self, "memory": FlatMemory.self,
    "descriptors": Descriptors.self, "concurrency": Concurrency.self,
    "races": Races.self, "recycling": Recycling.self, "service": Service.self,
  ]

  static func main() async {
    stress_end_with_script()
    let findings = Findings()
    guard let type = scenarios[Settings.text("scenario")] else {
      findings.violation("there is no scenario '\(Settings.text("scenario"))'")
      findings.end()
    }
    var scenario = type.init(findings)
    do { try await scenario.run() } catch { findings.violation("the scenario threw \(error)") }
    findings.end()
  }
}
