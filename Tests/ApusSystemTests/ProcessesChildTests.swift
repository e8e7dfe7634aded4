import ApusSystem
import CApus
import Glibc
import TestSupport
import Testing

@Suite("Children")
struct ProcessesChildTests {
  @Test("reaping does not wait, and tells the same again and again")
  func reaping() throws {
    let (reading, writing) = try OwnedDescriptor.pipe()
    let child = try Spawner.spawn(shell("read line; exit 4", [(reading.number, 0)]))
    #expect(child.pidfd >= 0)
    #expect(child.reap() == nil)
    #expect(child.status == nil)
    #expect(write(writing.number, "\n", 1) == 1)
    var ended = pollfd(fd: child.pidfd, events: Int16(POLLIN), revents: 0)
    #expect(poll(&ended, 1, 10_000) == 1)
    #expect(child.reap() == .exited(4))
    #expect(child.reap() == .exited(4))
    #expect(child.wait() == .exited(4))
    #expect(child.status == .exited(4))
    #expect(child.pidfd == -1)
    withExtendedLifetime(reading) {}
  }

  @Test("several threads may wait for one child")
  func waiting() async throws {
    let child = try Spawner.spawn(shell("sleep 0.05; exit 5"))
    await withTaskGroup { group in
      for _ in 0..<4 { group.addTask { child.wait() } }
      for await status in group { #expect(status == .exited(5)) }
    }
  }

  @Test("signals reach the child until it is reaped, and nobody afterwards")
  func signals() throws {
    let child = try Spawner.spawn(shell("exec sleep 100"))
    #expect(child.signal(0))
    #expect(child.signal(SIGTERM))
    #expect(child.wait() == .signalled(SIGTERM, coreDumped: false))
    #expect(!child.signal(SIGTERM))
    #expect(!child.signalGroup(SIGTERM))
    #expect(!child.killRemainingGroup())
  }

  /// Its number may be another process's by now: here it is that of a process that was never a child.
  @Test("a child that somebody else has reaped is not signalled by its number", arguments: [false, true])
  func reapedByOthers(isGroup: Bool) throws {
    // 0: some file that is no pidfd.
    for pidfd: Int32 in [-1, 0] {
      let signal = isGroup ? apus_signal_group : apus_signal
      #expect(signal(isGroup ? getpgrp() : getppid(), pidfd, 0) == ESRCH)
    }
  }

  @Test("what stands in for a closed stream is no way to other files")
  func closedStreams() async {
    await #expect(processExitsWith: .success) {
      close(0)
      _ = try OwnedDescriptor.pipe()
      #expect(fcntl(0, F_GETFD) >= 0)
      #expect(openat(0, "etc/passwd", O_RDONLY) < 0 && errno == ENOTDIR)
      #expect(fchdir(0) < 0 && errno == ENOTDIR)
      var byte: UInt8 = 0
      #expect(read(0, &byte, 1) < 0 && errno == EBADF)
    }
  }

  @Test("a child leads its own group if asked, and is in ours if not", arguments: [true, false])
  func group(own: Bool) throws {
    var request = shell("exec sleep 100")
    request.newProcessGroup = own
    let child = try Spawner.spawn(request)
    #expect(getpgid(child.pid) == (own ? child.pid : getpgrp()))
    // To a child in our own group this must not signal us.
    #expect(child.signalGroup(SIGTERM))
    #expect(child.wait() == .signalled(SIGTERM, coreDumped: false))
  }

  @Test("what a child leaves in its group ends with it, unless it was to stay", arguments: [true, false])
  func remainder(ends: Bool) throws {
    var request = shell("sleep 100 >/dev/null 2>&1 & echo $!")
    request.groupEndsWithChild = ends
    let run = try runToEnd(request)
    #expect(run.status == .exited(0))
    let descendant = try #require(Int32(run.output.dropLast()))
    if ends {
      #expect(isGone(descendant))
    } else {
      #expect(kill(descendant, SIGKILL) == 0)
    }
  }

  @Test("a status that somebody else took is asked of the kernel, and nobody is signalled for it")
  func stolen() throws {
    let child = try Spawner.spawn(shell("exit 3"))
    #expect(waitpid(child.pid, nil, 0) == child.pid)
    #expect(!child.signal(SIGTERM))
    #expect(!child.signalGroup(SIGTERM))
    let known = kernelTellsLater ? ExitStatus.exited(3) : .unknown
    #expect(child.reap() == known)
    #expect(child.wait() == known)
    let killed = try Spawner.spawn(shell("kill -KILL $$"))
    #expect(waitpid(killed.pid, nil, 0) == killed.pid)
    #expect(killed.reap() == (kernelTellsLater ? .signalled(SIGKILL, coreDumped: false) : .unknown))
  }

  /// Whether a pidfd tells how a process ended that was reaped: from Linux 6.15 on.
  private var kernelTellsLater: Bool {
    let release = readSmallFile("/proc/sys/kernel/osrelease") ?? ""
    let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 15)
  }

  @Test("a child dies when its parent is killed, even a stopped child")
  func parentDeath() async throws {
    let result = await #expect(
      processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]
    ) {
      let running = try Spawner.spawn(shell("exec sleep 100"))
      let stopped = try Spawner.spawn(shell("exec sleep 100"))
      stopped.signal(SIGSTOP)
      print("children \(running.pid) \(stopped.pid)")
      fflush(nil)
      kill(getpid(), SIGKILL)
    }
    let text = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("children ") })
    let children = line.split(separator: " ").dropFirst().compactMap { Int32($0) }
    #expect(children.count == 2)
    for child in children { #expect(isGone(child)) }
  }

  @Test("a child outlives the thread that asked for it")
  func callersThread() throws {
    let finished = NativeSemaphore()
    let box = Box()
    try NativeThread.start(name: "short-lived") {
      box.child = try? Spawner.spawn(shell("exec sleep 100"))
      finished.signal()
    }
    finished.wait()
    usleep(50_000)
    let child = try #require(box.child)
    #expect(child.reap() == nil)
    child.signal(SIGKILL)
    #expect(child.wait() == .signalled(SIGKILL, coreDumped: false))
  }

  // Sound: written before the semaphore is signalled, read after.
  private final class Box: @unchecked Sendable { var child: ChildProcess? }

  @Test(
    "a fork of this process can spawn, and leaves our children alone",
    .enabled(if: dlsym(nil, "__tsan_init") == nil, "ThreadSanitizer ends a fork that starts a thread"))
  func fork() async {
    await #expect(processExitsWith: .success) {
      let child = try Spawner.spawn(shell("exec sleep 100"))
      // Swift hides fork; Python does not.
      let fork = unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> Int32).self)
      let copy = fork()
      if copy == 0 {
        let isAlone = !child.signal(SIGTERM) && !child.signalGroup(SIGTERM) && child.reap() == .unknown
        let status = try? Spawner.spawn(shell("exit 7")).wait()
        _exit(isAlone && status == .exited(7) ? 0 : 1)
      }
      var status: Int32 = -1
      waitpid(copy, &status, 0)
      #expect(status == 0)
      #expect(child.reap() == nil)
      child.signal(SIGTERM)
      #expect(child.wait() == .signalled(SIGTERM, coreDumped: false))
    }
  }

  @Test("statuses read well")
  func descriptions() {
    #expect(ExitStatus.exited(3).description == "exit code 3")
    #expect(
      ExitStatus.signalled(SIGSEGV, coreDumped: false).description
        == "signal 11 (SIGSEGV: segmentation fault)")
    #expect(ExitStatus.signalled(SIGABRT, coreDumped: true).description.hasSuffix("abort), core dumped"))
    #expect(ExitStatus.signalled(40, coreDumped: false).description == "signal 40 (SIGRTMIN+6)")
    #expect(ExitStatus.unknown.description == "unknown exit status")
    #expect(ExitStatus.exited(0).isSuccess && !ExitStatus.exited(1).isSuccess)
  }
}
