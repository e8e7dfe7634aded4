import Glibc

/// The memory that a process answers for, in bytes: shared pages count by their share.
func proportionalSetSize(of process: Int32) -> Int {
  let path = "/proc/\(process)/smaps_rollup"
  guard let file = fopen(path, "r") else {
    require(false, "\(path) cannot be read")
    return 0
  }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, Int32(line.count), file) != nil {
    let words = line.prefix { $0 != 0 }.map { Character(UnicodeScalar(UInt8(bitPattern: $0))) }
      .split(separator: " ")
    if words.count >= 2, String(words[0]) == "Pss:", let kibibytes = Int(String(words[1])) {
      return kibibytes << 10
    }
  }
  require(false, "\(path) has no Pss")
  return 0
}

/// The CPU time of all threads of a process, in nanosecond steps.
func cpuSeconds(of process: Int32) -> Double {
  var clock = clockid_t()
  var time = timespec()
  require(
    clock_getcpuclockid(process, &clock) == 0 && clock_gettime(clock, &time) == 0,
    "process \(process) has no CPU clock")
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
