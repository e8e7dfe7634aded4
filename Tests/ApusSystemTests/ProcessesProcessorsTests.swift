@testable import ApusSystem
import Glibc
import TestSupport
import Testing

@Suite("How many processors")
struct ProcessesProcessorsTests {
  @Test("the affinity counts")
  func affinity() throws {
    let all = try runToEnd(shell("nproc --all")).output
    #expect(Processors.available >= 1)
    #expect(Processors.available <= Int(all.dropLast())!)
    // nproc knows the affinity too.
    let run = try runToEnd(shell("unset OMP_NUM_THREADS OMP_THREAD_LIMIT; nproc"))
    #expect(run.status == .exited(0))
    #expect(Processors.allowedByAffinity() == Int(run.output.dropLast()))
  }

  @Test("a cap is a positive integer")
  func cap() async {
    #expect(Processors.cap(from: "3") == 3)
    for malformed in ["", "0", "-1", "2.5", "two", "1 ", "99999999999999999999"] {
      #expect(Processors.cap(from: malformed) == nil)
    }
    await #expect(processExitsWith: .success) {
      setenv("APUS_CPUS", "1", 1)
      #expect(Processors.available == 1)
    }
  }

  @Test("quotas of control groups, of the process's own group and those above")
  func quotas() throws {
    let second = "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
    let first = "31 20 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    let partial = "30 20 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    func limit(_ groups: String, _ mounts: String, _ files: [String: String]) throws -> Int? {
      let root = "/tmp/apus-cgroup-\(getpid())"
      var files = files
      files["/proc/self/cgroup"] = groups
      files["/proc/self/mountinfo"] = mounts
      var script = ""
      for (path, text) in files {
        script += "mkdir -p $(dirname \(root)\(path)); printf -- '\(text)' > \(root)\(path); "
      }
      #expect(try runToEnd(shell(script)).status == .exited(0))
      defer { _ = try? runToEnd(shell("rm -r \(root)")) }
      return ControlGroup.processorLimit(root: root)
    }
    let cpuMax = "/sys/fs/cgroup/a/b/cpu.max"
    #expect(try limit("0::/a/b\n", second, [:]) == nil)
    #expect(try limit("0::/a/b\n", second, [cpuMax: "max 100000\n"]) == nil)
    #expect(try limit("0::/a/b\n", second, [cpuMax: "150000 100000\n"]) == 2)
    #expect(try limit("0::/a/b\n", second, [cpuMax: "1000 100000\n"]) == 1)
    #expect(
      try limit(
        "0::/a/b\n", second, [cpuMax: "800000 100000\n", "/sys/fs/cgroup/a/cpu.max": "300000 100000\n"]) == 3)
    #expect(try limit("0::/a/b\n", second, [cpuMax: "99999999999999999999 x\n"]) == nil)
    #expect(try limit("0::/../a\n", second, ["/sys/fs/cgroup/cpu.max": "400000 100000"]) == 4)
    #expect(try limit("0::/docker/1\n", partial, ["/sys/fs/cgroup/cpu.max": "200000 100000"]) == 2)
    #expect(try limit("garbage\n\n::\n", "- - -\n\n", [:]) == nil)

    let quota = "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us"
    let period = "/sys/fs/cgroup/cpu/x/cpu.cfs_period_us"
    #expect(try limit("4:cpu,cpuacct:/x\n", first, [quota: "250000\n", period: "100000\n"]) == 3)
    #expect(try limit("4:cpu,cpuacct:/x\n", first, [quota: "-1\n", period: "100000\n"]) == nil)
    #expect(try limit("4:cpuset:/x\n", first, [quota: "250000\n", period: "100000\n"]) == nil)
  }
}
