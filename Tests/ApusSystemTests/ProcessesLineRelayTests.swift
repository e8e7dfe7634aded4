import ApusSystem
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("Line relays")
struct ProcessesLineRelayTests {
  /// A relay, the writing end of its source, and the reading end of its target.
  private struct Pipes {
    let source: OwnedDescriptor
    let result: OwnedDescriptor
    let written: OwnedDescriptor
    let relay: LineRelay

    init() throws {
      let (reading, writing) = try OwnedDescriptor.pipe()
      let (resultReading, resultWriting) = try OwnedDescriptor.pipe()
      try resultReading.setNonBlocking()
      source = writing
      result = resultReading
      written = resultWriting
      relay = try LineRelay(source: reading, target: LineTarget(resultWriting.number))
    }

    func write(_ text: String) {
      #expect(Glibc.write(source.number, text, text.utf8.count) == text.utf8.count)
    }

    /// The end-of-file may be late: a program that another test starts at this moment has a copy of the writing
    /// end until its exec closes it.
    func drainToEnd() {
      source.close()
      var ready = pollfd(fd: relay.descriptor, events: Int16(POLLIN), revents: 0)
      while relay.drain() { poll(&ready, 1, -1) }
    }

    func forwarded() -> String { readToEnd(result) }
  }

  @Test("only whole lines go on until the end")
  func wholeLines() throws {
    let pipes = try Pipes()
    #expect(pipes.relay.drain())
    pipes.write("one\ntw")
    #expect(pipes.relay.drain())
    #expect(pipes.forwarded() == "one\n")
    pipes.write("o\n\nthree")
    #expect(pipes.relay.drain())
    #expect(pipes.forwarded() == "two\n\n")
    #expect(pipes.relay.tail == "one\ntwo\n\nthree")
    pipes.drainToEnd()
    #expect(pipes.forwarded() == "")
    pipes.relay.finish()
    #expect(pipes.forwarded() == "three\n")
    #expect(pipes.relay.descriptor == -1)
    pipes.relay.finish()
    #expect(!pipes.relay.drain())
  }

  @Test("what others print can't come inside a line")
  func linesAreNotCut() throws {
    let (near, far) = try OwnedDescriptor.socketPair()
    let target = LineTarget(far.number)
    let line = String(repeating: "c", count: 3000) + "\n"
    let lines = line + line + line + String(repeating: "d", count: 10_000) + "\n"
    lines.utf8.withContiguousStorageIfAvailable { target.write(.init($0)) }
    var writes: [String] = []
    var packet = [UInt8](repeating: 0, count: 20_000)
    while writes.reduce(0, { $0 + $1.utf8.count }) < lines.utf8.count {
      let count = read(near.number, &packet, packet.count)
      try #require(count > 0)
      writes.append(String(decoding: packet[..<count], as: UTF8.self))
    }
    #expect(writes.prefix(3) == [line, line, line])
    #expect(writes.joined() == lines)
  }

  @Test("the newline at the end can be left out")
  func openEnd() throws {
    let pipes = try Pipes()
    pipes.write("abc")
    _ = pipes.relay.drain()
    pipes.relay.finish(endsLine: false)
    #expect(pipes.forwarded() == "abc")
  }

  @Test("a long line goes on in pieces and gets its newline once", .blocks)
  func longLine() throws {
    let pipes = try Pipes()
    let size = LineRelay.longestLine
    let piece = String(repeating: "x", count: 32 << 10)
    var text = ""
    for _ in 0..<(3 * size / 2 / piece.utf8.count) {
      pipes.write(piece)
      _ = pipes.relay.drain()
      text += pipes.forwarded()
    }
    pipes.relay.finish()
    // What the pipe did not take at once comes from a thread.
    while text.last != "\n" { text += pipes.forwarded() }
    #expect(text.utf8.count == 3 * size / 2 + 1 && !text.dropLast().contains("\n"))
  }

  @Test("the tail is the last 8 KiB, cut between characters and repaired")
  func tail() throws {
    let pipes = try Pipes()
    for _ in 0..<3 {
      // Three bytes each, so that 8192 cuts through one.
      pipes.write(String(repeating: "€", count: 3001) + "\n")
      _ = pipes.relay.drain()
      _ = pipes.forwarded()
    }
    #expect(Glibc.write(pipes.source.number, [UInt8(0xFF)], 1) == 1)
    _ = pipes.relay.drain()
    let tail = pipes.relay.tail
    #expect(tail.hasPrefix("€€") && tail.hasSuffix("€\n\u{FFFD}"))
    #expect((8180...8196).contains(tail.utf8.count))
  }

  @Test("a target that is gone, pipe or socket, costs output and nothing else")
  func brokenTarget() async {
    await #expect(processExitsWith: .success) {
      for isSocket in [false, true] {
        let (reading, writing) = try OwnedDescriptor.pipe()
        let (far, near) = isSocket ? try OwnedDescriptor.socketPair() : try OwnedDescriptor.pipe()
        far.close()
        let relay = try LineRelay(source: reading, target: LineTarget(near.number))
        for _ in 0..<3 {
          #expect(write(writing.number, "x\n", 2) == 2)
          #expect(relay.drain())
        }
        #expect(relay.tail == "x\nx\nx\n")
        withExtendedLifetime(near) {}
      }
      var pending = sigset_t()
      sigpending(&pending)
      #expect(sigismember(&pending, SIGPIPE) == 0)
      // Outside of the relay SIGPIPE is as it was.
      var before = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &before)
      #expect(sigismember(&before, SIGPIPE) == 0)
    }
  }

  @Test("a relay whose reader does not keep up is held, and taken up again")
  func heldAndResumed() throws {
    let (reading, writing) = try OwnedDescriptor.pipe()
    let (resultReading, resultWriting) = try OwnedDescriptor.pipe()
    let poller = try Poller()
    var relays = RelaySet(poller)
    let relay = try LineRelay(source: reading, target: LineTarget(resultWriting.number))
    try relays.add(relay, tag: 7)
    let child = try Spawner.spawn(shell("seq 1 500000", [(writing.number, 1)]))
    writing.close()
    while !relays.isHolding { #expect(poller.wait(nil) { relays.forward($0) }) }
    // Nobody reads: there is nothing to wake for, and nothing to take up again.
    relays.resume()
    #expect(relays.isHolding)
    #expect(poller.wait(20_000_000) { Issue.record("tag \($0) is polled") })

    try resultReading.setNonBlocking()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var count = 0
    while count < 3_388_895 {
      count += max(0, read(resultReading.number, &chunk, chunk.count))
      relays.resume()
      #expect(poller.wait(relays.isHolding ? 0 : RelaySet.patience) { relays.forward($0) })
    }
    #expect(child.wait() == .exited(0))
    relays.finish(relay, tag: 7)
    #expect(relay.descriptor < 0 && relay.tail.hasSuffix("499999\n500000\n"))
    withExtendedLifetime(resultWriting) {}
  }

  @Test("a million lines, written in odd sizes by two children, come out whole")
  func millionLines() throws {
    let (resultReading, resultWriting) = try OwnedDescriptor.pipe()
    // Small and non-blocking, so that the relays meet partial writes and a full target.
    try resultWriting.setNonBlocking()
    let target = LineTarget(resultWriting.number)
    let observed = Atomic<Int>(0)
    let done = NativeSemaphore()
    let relays = try (0..<2).map { child in
      let (reading, writing) = try OwnedDescriptor.pipe()
      let process = try Spawner.spawn(
        shell("seq -f '\(child) %.0f end' 1 500000 | dd obs=7777 2>/dev/null", [(writing.number, 1)]))
      let relay = try LineRelay(source: reading, target: target) { piece in
        observed.add(piece.count, ordering: .relaxed)
      }
      return (relay, process)
    }
    for (relay, process) in relays {
      try NativeThread.start(name: "relay") {
        var ready = pollfd(fd: relay.descriptor, events: Int16(POLLIN), revents: 0)
        while relay.drain() { poll(&ready, 1, -1) }
        relay.finish()
        _ = process.wait()
        done.signal()
      }
    }
    try NativeThread.start(name: "end") {
      done.wait()
      done.wait()
      // What could not be written at once is kept, and written by a thread.
      while !target.isSettled { usleep(1000) }
      resultWriting.close()
    }
    let text = readToEnd(resultReading)
    #expect(observed.load(ordering: .relaxed) == text.utf8.count)
    var next = [1, 1]
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let child = line.first == UInt8(ascii: "0") ? 0 : 1
      guard Substring(line) == "\(child) \(next[child]) end" else {
        Issue.record("a broken line: \(Substring(line).prefix(100))")
        break
      }
      next[child] += 1
    }
    #expect(next == [500_001, 500_001])
  }
}

extension ProcessesLineRelayTests {
  @Test("lines of several children stay whole, however long")
  func longLinesOfSeveral() throws {
    let path = "/tmp/apus-lines-\(getpid())"
    let file = OwnedDescriptor(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600))
    unlink(path)
    let target = LineTarget(file.number)
    var sources: [OwnedDescriptor] = []
    var relays: [LineRelay] = []
    for _ in 0..<2 {
      let (reading, writing) = try OwnedDescriptor.pipe()
      sources.append(writing)
      relays.append(try LineRelay(source: reading, target: target))
    }
    let piece = 40_000
    for round in 0..<20 {
      for (letter, (source, relay)) in zip(["a", "b"], zip(sources, relays)) {
        let text = String(repeating: letter, count: piece) + (round % 10 == 9 ? "\n" : "")
        #expect(write(source.number, text, text.utf8.count) == text.utf8.count)
        #expect(relay.drain())
      }
    }
    lseek(file.number, 0, SEEK_SET)
    let lines = readToEnd(file).split(separator: "\n")
    #expect(lines.count == 4)
    for line in lines { #expect(line.utf8.count == 10 * piece && Set(line.utf8).count == 1) }
  }

  @Test("a line that never ends is cut where another's comes, not mixed with it")
  func openLines() throws {
    let (reading, writing) = try OwnedDescriptor.pipe()
    try reading.setNonBlocking()
    let target = LineTarget(writing.number)
    let (first, firstSource) = try OwnedDescriptor.pipe()
    let (second, secondSource) = try OwnedDescriptor.pipe()
    let asking = try LineRelay(source: first, target: target)
    let other = try LineRelay(source: second, target: target)
    func say(_ text: String, _ source: OwnedDescriptor, _ relay: LineRelay) {
      #expect(write(source.number, text, text.utf8.count) == text.utf8.count)
      #expect(relay.drain())
    }
    say("name? ", firstSource, asking)
    asking.forwardOpenLine()
    say("a line\n", secondSource, other)
    say("\n", firstSource, asking)
    say("again? ", firstSource, asking)
    asking.forwardOpenLine()
    say("yes\n", firstSource, asking)
    say("a line\n", secondSource, other)
    #expect(readToEnd(reading) == "name? \na line\nagain? yes\na line\n")
  }

  @Test("what another relay has left open is ended, though it is gone")
  func openLinesOfTheDead() throws {
    let (reading, writing) = try OwnedDescriptor.pipe()
    try reading.setNonBlocking()
    let target = LineTarget(writing.number)
    for _ in 0..<50 {
      let (end, source) = try OwnedDescriptor.pipe()
      let relay = try LineRelay(source: end, target: target)
      #expect(write(source.number, "cut", 3) == 3)
      #expect(relay.drain())
      relay.forwardOpenLine()
    }
    #expect(readToEnd(reading) == Array(repeating: "cut", count: 50).joined(separator: "\n"))
  }

  @Test("the master of a terminal is written to, not that of a new one")
  func terminalMaster() throws {
    let master = OwnedDescriptor(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC))
    // TIOCSPTLCK and TIOCGPTN, which Swift does not import.
    var (isLocked, number): (Int32, Int32) = (0, -1)
    try #require(ioctl(master.number, 0x4004_5431, &isLocked) == 0)
    try #require(ioctl(master.number, 0x8004_5430, &number) == 0)
    let slave = OwnedDescriptor(open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC))
    let target = LineTarget(master.number)
    "typed\n".utf8.withContiguousStorageIfAvailable { target.write(.init($0)) }
    var ready = pollfd(fd: slave.number, events: Int16(POLLIN), revents: 0)
    try #require(poll(&ready, 1, 30_000) == 1)
    var bytes = [UInt8](repeating: 0, count: 100)
    let count = read(slave.number, &bytes, bytes.count)
    #expect(String(decoding: bytes[..<max(0, count)], as: UTF8.self) == "typed\n")
  }
}
