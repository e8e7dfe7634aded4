/// How many processors this process may use.
public enum Processors {
  /// The number of processors that this process may use at a time: at least 1.
  ///
  /// The smallest of what the machine offers, the process's affinity (`taskset`, Slurm) and the quota of its
  /// control groups (containers), a fraction rounded up. The machine's own count is the wrong width in a
  /// container: threads beyond the quota only make each other wait.
  ///
  /// The environment variable `APUS_CPUS`, a positive integer, lowers it further: nested pools share the width
  /// that way. A value that is no such integer is ignored.
  ///
  /// Reads a few small files each time (about 0.1 ms), since limits change while a program runs: keep the result.
  public static var available: Int {
    min(ofProgram, environmentCap() ?? .max)
  }

  /// The same without `APUS_CPUS`: how many there are for this process and those that it shares them with.
  package static var ofProgram: Int {
    max(1, min(allowedByAffinity(), ControlGroup.processorLimit() ?? .max))
  }

  /// The name of the environment variable that caps `available`.
  package static let environmentName = "APUS_CPUS"

  static func cap(from text: String) -> Int? {
    guard let value = Int(text), value > 0 else { return nil }
    return value
  }
}
