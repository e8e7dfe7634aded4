import ApusCore
import ApusMessages
import ArgumentParser
import CApus
import Glibc

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what this machine offers, and what is missing.",
    discussion: "The exit status is 1 if something is missing that Apus can't do without.")

  func run() throws {
    let sections = [processors(), memory(), kernel()]
    for section in sections { section.show() }
    if sections.contains(where: \.isBroken) { throw ExitCode.failure }
  }

  private func processors() -> Finding.Section {
    let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    let allowed = apus_allowed_processors()
    let quota = ControlGroup.processorLimit()
    var section = Finding.Section("Processors")
    section.add("to use", "\(Processors.available)")
    section.add("of the machine", "\(online)")
    section.add("allowed by affinity", allowed > 0 ? "\(allowed)" : "not known")
    section.add("quota of the control group", quota.map { "\($0)" } ?? "none")
    if let cap = getenv(Processors.environmentName) {
      section.add(Processors.environmentName, String(cString: cap))
    }
    return section
  }

  private func memory() -> Finding.Section {
    var section = Finding.Section("Memory")
    section.add(
      "of the machine", size(UInt64(sysconf(Int32(_SC_PHYS_PAGES))) * UInt64(sysconf(Int32(_SC_PAGESIZE)))))
    section.add("limit of the control group", ControlGroup.memoryLimit().map(size) ?? "none")
    // The memory that ranks share has no file there, but is counted and limited like it by some containers.
    var shared = statvfs()
    if statvfs("/dev/shm", &shared) == 0 {
      section.add("/dev/shm", size(UInt64(shared.f_blocks) * UInt64(shared.f_frsize)))
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      section.add("open files", "\(limit.rlim_cur), at most \(limit.rlim_max)")
    }
    return section
  }

  private func kernel() -> Finding.Section {
    var name = utsname()
    uname(&name)
    let release = withUnsafeBytes(of: &name.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    var section = Finding.Section("Kernel \(release)")
    section.add("shared memory (memfd)", error: apus_probe_memfd(), isNeeded: true)
    section.add("pidfd", error: apus_probe_pidfd(), else: "deaths are noticed 20 ms late")
    section.add("membarrier", error: apus_probe_membarrier(), else: "workers fence")
    section.add(
      "process_vm_readv", error: apus_probe_process_memory(), else: "long messages are copied twice")
    section.add("user namespaces", error: apus_probe_namespaces(), else: "tests of containers are left out")
    return section
  }

  private func size(_ bytes: UInt64) -> String {
    let gibibytes = Double(bytes) / Double(1 << 30)
    let tenths = Int((gibibytes * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) GiB"
  }
}
