import Glibc
import TestSupport
import Testing

@testable import ApusSystem

@Suite("A control group for one child's memory")
struct MemoryGroupTests {
  @Test("where one may be made")
  func places() throws {
    let first = "31 20 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    let second = "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
    func places(_ group: String, _ mounts: String, _ control: [String], delegated: String? = nil) throws
      -> [String]
    {
      let root = "/tmp/apus-memory-group-\(getpid())"
      var script = "mkdir -p \(root)/proc/self; printf '\(group)' > \(root)/proc/self/cgroup; "
      script += "printf -- '\(mounts)' > \(root)/proc/self/mountinfo; mkdir -p \(root)/sys/fs/cgroup/a/b; "
      for path in control {
        script += "echo cpu memory pids > \(root)/sys/fs/cgroup\(path)/cgroup.subtree_control; "
      }
      if let delegated {
        script +=
          "python3 -c 'import os; os.setxattr(\"\(root)/sys/fs/cgroup\(delegated)\", \"user.delegate\", b\"1\")'"
      }
      #expect(try runToEnd(shell(script)).status == .exited(0))
      defer { _ = try? runToEnd(shell("rm -r \(root)")) }
      return MemoryGroup.places(root: root).map { String($0.path.dropFirst(root.utf8.count)) }
    }
    #expect(try places("4:memory:/x\n", first, []) == ["/sys/fs/cgroup/memory/x"])
    // Whose processes are there has no groups below with a limit.
    #expect(try places("0::/a/b\n", second, []) == [])
    // What is above is somebody else's, unless it was given to us.
    #expect(try places("0::/a/b\n", second, ["/a"]) == [])
    #expect(try places("0::/a/b\n", second, [], delegated: "/a") == [])
    #expect(try places("0::/a/b\n", second, ["/a"], delegated: "/a") == ["/sys/fs/cgroup/a"])
    #expect(try places("0::/a/b\n", second, ["/"], delegated: "/") == [])
    #expect(try places("0::/a/b\n", second, ["/a/b"]) == ["/sys/fs/cgroup/a/b"])
  }

  /// Nothing else than the kernel limits it here.
  @Test("the kernel ends what takes more", .enabled(if: MemoryGroup.isPossible))
  func limit() throws {
    let before = groups()
    let child = try Spawner.spawn([shell("sleep 1; head -c 300m /dev/zero | tail -c 300m | wc -c")])[0].get()
    let group = try #require(MemoryGroup.make(for: child.pid, limit: 64 << 20))
    #expect(groups().count == before.count + 1)
    #expect(group.kills == 0)
    _ = child.wait()
    #expect(group.kills > 0)
    group.remove()
    MemoryGroup.removeLeftovers()
    #expect(groups() == before)
  }

  /// What a program that was killed has left is removed by the next one.
  @Test("groups of a program that is gone", .enabled(if: MemoryGroup.isPossible))
  func leftovers() throws {
    let place = try #require(MemoryGroup.places().first).path
    let old = "\(place)/apus-\(Int32.max)-1"
    #expect(mkdir(old, 0o755) == 0)
    MemoryGroup.removeLeftovers()
    #expect(access(old, F_OK) != 0)
  }

  private func groups() -> [String] { MemoryGroup.ownNames.sorted() }
}
