import ApusSystem
import Glibc
import TestSupport
import Testing

/// A run of `apus launch` that goes on while the test looks at it and sends it signals.
final class LiveLaunch: Sendable {
  let mark = Mark()
  let child: ChildProcess
  private let terminal: OwnedDescriptor?
  /// Kept open.
  private let unread: OwnedDescriptor?
  private let text = Locked("")

  /// - Parameters:
  ///   - inTerminal: Whether it gets a terminal of its own, as if it had been typed there.
  ///   - ignoring: Signals that are ignored when it starts. All others do what they do by default: who runs tests may
  ///     ignore some.
  ///   - isRead: Whether anybody reads what it prints.
  init(
    _ arguments: [String], inTerminal: Bool = false, ignoring: String? = nil, isRead: Bool = true
  ) throws {
    let apus = programFolder + "/apus"
    var all = ["env", "--default-signal"]
    if let ignoring { all.append("--ignore-signal=\(ignoring)") }
    if inTerminal { all += ["setsid", "--ctty"] }
    all += [apus, "launch"] + arguments
    var request = SpawnRequest(path: "/usr/bin/env", arguments: all)
    request.environment.append(ByteString(mark.entry))
    let source: OwnedDescriptor
    let sink: OwnedDescriptor
    let input: OwnedDescriptor
    if inTerminal {
      (source, sink) = try Self.makeTerminal()
      (input, terminal) = (sink, source)
      // A leader of a group can't begin a session.
      request.newProcessGroup = false
    } else {
      (source, sink) = try OwnedDescriptor.pipe()
      (input, terminal) = (OwnedDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)), nil)
    }
    request.descriptors = [(input.number, 0), (sink.number, 1), (sink.number, 2)]
    child = try withExtendedLifetime(input) { try Spawner.spawn(request) }
    sink.close()
    unread = isRead ? nil : source
    if isRead { try read(source) }
  }

  deinit {
    child.signalGroup(SIGKILL)
    for process in mark.processes { kill(process, SIGKILL) }
  }

  /// What it has printed so far, on both streams.
  var output: String { text.withLock { $0 } }

  func type(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(terminal!.number, bytes, bytes.count)
  }

  func signal(_ number: Int32) { kill(child.pid, number) }

  /// Waits until it has printed this.
  func prints(_ expected: String...) async -> Bool {
    await eventually { expected.allSatisfy { output.contains($0) } }
  }

  /// Waits for its end.
  func status() async -> ExitStatus? {
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

/// The letter that the kernel has for what a process does: `S` sleeps, `T` is stopped, `Z` is a zombie.
func state(of process: Int32) -> Character? {
  guard let file = fopen("/proc/\(process)/stat", "re") else { return nil }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 1024)
  guard fgets(&line, Int32(line.count), file) != nil else { return nil }
  let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return text.split(separator: ")").last?.first { $0 != " " }
}
