import ApusSystem
import ApusMessages
import ArgumentParser
import CApus
import Glibc

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what this machine offers, and what is missing.",
    discussion: """
      Launchers of MPI libraries are tried: two ranks have to find each other. Behind '-' stands what works less well \
      than it could, behind '!' what is broken, and behind '>' what to do about it. The exit status is 1 if anything \
      is broken.
      """)

  /// How it asks an MPI library, in a child.
  @Flag(name: .customLong("mpi-library"), help: .hidden)
  var isLibraryProbe = false

  /// How it tries a launcher: the ranks' part.
  @Flag(name: .customLong("mpi-rank"), help: .hidden)
  var isTrialRank = false

  func run() throws {
    if isLibraryProbe { MPILibraryProbe.report() }
    if isTrialRank { return try MPITrial.playRank() }
    var isBroken = false
    for section in [processors, memory, kernel, Self.mpi, Self.coordination] {
      let found = section()
      found.show()
      // The next one may take its time.
      fflush(nil)
      isBroken = isBroken || found.isBroken
    }
    if isBroken { throw ExitCode.failure }
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
    section.add(
      "shared memory (memfd)", error: apus_probe_memfd(), .broken, else: "pools and ranks can't do without",
      cure: "use a kernel from 3.17 on, and a sandbox that allows memfd_create")
    var shared = statvfs()
    if statvfs("/dev/shm", &shared) == 0 {
      let (total, free) = (
        UInt64(shared.f_blocks) * UInt64(shared.f_frsize), UInt64(shared.f_bavail) * UInt64(shared.f_frsize)
      )
      let text = "\(size(total)), \(size(free)) free"
      if free < 256 << 20 {
        section.add(
          "/dev/shm", text, .lacking,
          cure: "Apus does not use it, but MPI libraries do: give a container more (docker run --shm-size=1g)"
        )
      } else {
        section.add("/dev/shm", text)
      }
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      let text = "\(limit.rlim_cur), at most \(limit.rlim_max)"
      if limit.rlim_max < 1024 {
        section.add(
          "open files", text, .lacking, cure: "a rank or worker takes four: raise it (ulimit -n 4096)")
      } else {
        section.add("open files", text)
      }
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
    section.add(
      "pidfd", error: apus_probe_pidfd(), else: "deaths are noticed 20 ms late",
      cure: "use a kernel from 5.3 on, or allow pidfd_open in the sandbox")
    section.add(
      "membarrier", error: apus_probe_membarrier(),
      else: "workers and ranks fence, which costs some nanoseconds",
      cure: "use a kernel from 4.16 on, or allow membarrier in the sandbox")
    let scope = readSmallFile("/proc/sys/kernel/yama/ptrace_scope")?.first { $0 != "\n" }
    section.add(
      "reading a peer's memory", error: apus_probe_process_memory(), else: "long messages are copied twice",
      cure: scope.map { $0 == "0" } ?? true
        ? "let the container do it (docker run --cap-add=SYS_PTRACE, or a seccomp profile with process_vm_readv)"
        : "Yama forbids it (ptrace_scope is \(scope!)): sysctl kernel.yama.ptrace_scope=0")
    section.add(
      "network namespaces", error: apus_probe_namespaces(), else: "tests of several hosts are left out",
      cure: "run the tests as root, or allow user namespaces")
    return section
  }

  private func size(_ bytes: UInt64) -> String {
    let gibibytes = Double(bytes) / Double(1 << 30)
    let tenths = Int((gibibytes * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) GiB"
  }
}
