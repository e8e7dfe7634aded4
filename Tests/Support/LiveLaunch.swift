package import ApusSystem
import Glibc

/// A run of `apus launch`, or of another command, that goes on while the test looks at it, types to it and sends it signals.
package final class LiveLaunch: Sendable {
  /// What its standard input is.
  package enum Input { case nothing, pipe, terminal }

  package let mark = Mark()
  package let child: ChildProcess
  private let typed: OwnedDescriptor?
  /// Kept open.
  private let unread: OwnedDescriptor?
  private let text = Locked("")

  /// - Parameters:
  ///   - input: A terminal is one of its own, as if it had been typed there.
  ///   - ignoring: Signals that are ignored when it starts. All others do what they do by default: who runs tests may
  ///     ignore some.
  ///   - isRead: Whether anybody reads what it prints.
  package init(
    _ arguments: [String], command: String = "launch", input kind: Input = .nothing, ignoring: String? = nil,
    isRead: Bool = true
  ) throws {
    let apus = programFolder + "/apus"
    var all = ["env", "--default-signal"]
    if let ignoring { all.append("--ignore-signal=\(ignoring)") }
    if kind == .terminal { all += ["setsid", "--ctty"] }
    all += [apus, command] + arguments
    var request = SpawnRequest(path: "/usr/bin/env", arguments: all)
    request.environment.append(ByteString(mark.entry))
    let source, sink, input: OwnedDescriptor
    if kind == .terminal {
      (source, sink) = try Self.makeTerminal()
    } else {
      (source, sink) = try OwnedDescriptor.pipe()
    }
    switch kind {
    case .nothing: (input, typed) = (OwnedDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)), nil)
    case .pipe:
      let ends = try OwnedDescriptor.pipe()
      (input, typed) = (ends.reading, ends.writing)
    case .terminal:
      (input, typed) = (sink, source)
      // A leader of a group can't begin a session.
      request.newProcessGroup = false
    }
    request.descriptors = [(input.number, 0), (sink.number, 1), (sink.number, 2)]
    child = try Spawner.spawn(request)
    input.close()
    sink.close()
    unread = isRead ? nil : source
    if isRead { try read(source) }
  }

  deinit {
    child.signalGroup(SIGKILL)
    for process in mark.processes { kill(process, SIGKILL) }
    _ = child.wait()
  }

  /// What it has printed so far, on both streams.
  package var output: String { text.withLock { $0 } }

  package func type(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(typed!.number, bytes, bytes.count)
  }

  package func signal(_ number: Int32) { kill(child.pid, number) }

  /// Waits until it has printed this.
  package func prints(_ expected: String...) async -> Bool {
    await eventually { expected.allSatisfy { output.contains($0) } }
  }

  /// Waits for its end.
  package func status() async -> ExitStatus? {
    _ = await eventually { child.reap() != nil }
    return child.status
  }

  private func read(_ source: OwnedDescriptor) throws {
    let text = text
    try NativeThread.start(name: "output") {
      var chunk = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = Glibc.read(source.number, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        // Linux reports the end of a terminal as EIO.
        if count <= 0 { return }
        let new = String(decoding: chunk[..<count], as: UTF8.self)
        text.withLock { $0 += new }
      }
    }
  }

  private static func makeTerminal() throws -> (master: OwnedDescriptor, slave: OwnedDescriptor) {
    // As posix_openpt, unlockpt and ptsname do, which Swift's Glibc does not show.
    let master = OwnedDescriptor(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC))
    var unlocked: Int32 = 0
    var number: Int32 = 0
    guard master.number >= 0, ioctl(master.number, UInt(TIOCSPTLCK), &unlocked) == 0,
      ioctl(master.number, UInt(TIOCGPTN), &number) == 0
    else { throw ProcessError(errno: errno, doing: "making a terminal") }
    let name = "/dev/pts/\(number)"
    let slave = OwnedDescriptor(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC))
    guard slave.number >= 0 else { throw ProcessError(errno: errno, doing: "opening a terminal") }
    return (master, slave)
  }
}

private let TIOCSPTLCK = 0x4004_5431
private let TIOCGPTN = 0x8004_5430
