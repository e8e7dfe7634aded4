// The program that Scripts/stress runs, over and over: one scenario a run. What it finds it prints, for the
// script to judge; what would end or stop a program is the script's to see from outside.
import Glibc

@main
struct PoolStress {
  static func main() async {
    // A pipe of the script's: what was found must be there even if the program is killed next.
    setvbuf(stdout, nil, Int32(_IOLBF), 0)
    let findings = Findings()
    let scenario = Settings.text("scenario")
    do {
      switch scenario {
      case "cell": try await Cell(findings).run()
      case "start-up": try await StartUpCell(findings).run()
      case "idle": try await IdleCell(findings).run()
      case "transfer": try await TransferCell(findings).run()
      case "parent-side": try await ParentSideCell(findings).run()
      case "victim": try await Victim.run()
      case "kills": try await Kills(findings).run()
      case "laziness": try await Laziness(findings).run()
      case "memory": try await FlatMemory(findings).run()
      case "descriptors": try await Descriptors(findings).run()
      case "concurrency": try await Concurrency(findings).run()
      default: findings.violation("there is no scenario '\(scenario)'")
      }
    } catch {
      findings.violation("the scenario threw: \(error)")
    }
    findings.end()
  }
}
