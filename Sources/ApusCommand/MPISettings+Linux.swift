import ApusSystem
import ApusMessages
import CApus
import Glibc

/// What a launcher of MPI programs must be told to work well, or at all, in containers and on small machines.
struct MPISettings {
  /// To stand before the program.
  private(set) var options: [String] = []
  /// Why, for a person.
  private(set) var reasons: [String] = []

  init(_ starter: MPIStarter, ranks: Int) {
    let processors = Processors.available
    let isCrowded = ranks > processors
    let crowd = "\(ranks) ranks on \(processors) processor\(processors == 1 ? "" : "s")"
    switch starter.kind {
    case .openMPI:
      if geteuid() == 0 { add("as root", ["--allow-run-as-root"]) }
      // It counts cores, and refuses more ranks than those.
      if isCrowded || ranks > Self.cores() { add(crowd, ["--oversubscribe"]) }
      // It may not see that: a quota of the control group leaves all processors in sight.
      if isCrowded { add(crowd, ["--mca", "mpi_yield_when_idle", "1", "--bind-to", "none"]) }
      // Where the kernel forbids it, it fails in the middle of a message.
      if apus_probe_process_memory() != 0 {
        add(
          "no reading of other processes' memory",
          starter.majorVersion >= 5
            ? ["--mca", "smsc", "^cma"] : ["--mca", "btl_vader_single_copy_mechanism", "none"])
      }
    case .hydra, .slurm, .other:
      guard isCrowded else { break }
      // Its ranks spin while they wait: a collective takes a thousand times as long if the one waited for can't run.
      for (name, value) in [
        ("MPIR_CVAR_POLLS_BEFORE_YIELD", "1"), ("MPIR_CVAR_CH4_PROGRESS_THROTTLE", "true"),
        ("MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT", "1"),
      ] where getenv(name) == nil {
        add(crowd, ["-genv", name, value])
      }
    }
  }

  private mutating func add(_ reason: String, _ new: [String]) {
    options += new
    if !reasons.contains(reason) { reasons.append(reason) }
  }

  /// Two hardware threads of one core are two processors.
  private static func cores() -> Int {
    let isThreaded = readSmallFile("/sys/devices/system/cpu/smt/active").map { $0.hasPrefix("1") } ?? false
    return isThreaded ? max(1, Processors.ofProgram / 2) : Processors.ofProgram
  }
}
