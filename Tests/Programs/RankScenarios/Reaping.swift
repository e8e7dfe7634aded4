import ApusSystem
import ApusMessages
import Glibc

/// A program in which the statuses of children go to somebody else, and bodies that fork.
enum Reaping {
  static func reapEverything() {
    let thread = UnsafeMutablePointer<pthread_t>.allocate(capacity: 1)
    pthread_create(
      thread, nil,
      { _ in
        while true { if waitpid(-1, nil, 0) < 0 { usleep(1000) } }
      }, nil)
  }

  /// One rank returns at once, the others hear from each other long after; then one is killed, and the one that waits
  /// for it hears of that.
  static func play() throws {
    let good = try withRanks(3) { world -> Int in
      if world.rank == 2 { return 2 }
      usleep(200_000)
      try world.send(world.rank, to: 1 - world.rank)
      return try world.receive(Int.self, from: 1 - world.rank)
    }
    print(good.map { (try? $0.get()).map { "\($0)" } ?? "\($0)" }.joined(separator: " "))
    let bad = try withRanks(3) { world -> Int in
      if world.rank == 1 { kill(getpid(), SIGKILL) }
      if world.rank == 0 { return try world.receive(Int.self, from: 1) }
      return 2
    }
    print(bad.map { describe($0) }.joined(separator: " "))
  }

  private static func describe(_ result: Result<Int, MessageError>) -> String {
    do { return "\(try result.get())" } catch { return "\(error.code)" }
  }

  /// Once the ranks are there, another thread closes the descriptors that they are looked after by, and opens files of its
  /// own, which are not closed in turn.
  static func closed() throws {
    let mark = "/tmp/apus-closed-\(getpid())"
    try NativeThread.start(name: "careless") {
      while access(mark, F_OK) != 0 { usleep(1000) }
      for number in Int32(3)..<256 { close(number) }
      while open("/dev/null", O_RDONLY) < 255 {}
      unlink(mark)
    }
    do {
      _ = try withRanks(2, with: mark) { mark, world in
        waitUntilHeard()
        try world.barrier()
        if world.rank == 0 { close(open(mark, O_CREAT | O_WRONLY, 0o600)) }
        waitForEver()
      }
    } catch let error as MessageError { print(error.code, error.message) }
    print((Int32(3)..<256).filter { fcntl($0, F_GETFD) < 0 })
  }

  /// Who started us reads what we print, so it is done with starting us, and with the descriptors that this took.
  private static func waitUntilHeard() {
    var unread: Int32 = 0
    write(2, "ready\n", 6)
    repeat { usleep(1000) } while ioctl(2, UInt(FIONREAD), &unread) == 0 && unread > 0
  }

  /// Both processes return from the body.
  static func fork() throws {
    let results = try withRanks(2) { world -> Int in
      let fork = unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> Int32).self)
      let child = fork()
      if child == 0 { return 1000 + world.rank }
      waitpid(child, nil, 0)
      return world.rank
    }
    print(try results.map { "\(try $0.get())" }.joined(separator: " "))
  }
}
