public import ApusSystem
import Glibc
import Synchronization

/// What a program that a test ran has left behind.
public struct ProgramRun: Sendable {
  /// What it wrote to standard output.
  public var output = ""
  /// What it wrote to standard error.
  public var errors = ""
  /// How it ended.
  public var status = ExitStatus.unknown
  /// Whether it had to be killed.
  public var timedOut = false
}

/// Where the build put the programs of Tests/Programs: beside the tests themselves.
public let programFolder: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count)
  let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
}()

/// Runs a program to its end, off the cooperative threads.
public func runProgram(
  _ path: String, _ arguments: [String], environment: [String] = [], input: String = "", seconds: Int = 60
) async throws -> ProgramRun {
  let (inputEnd, inputSource) = try OwnedDescriptor.pipe()
  let (outputEnd, outputSink) = try OwnedDescriptor.pipe()
  let (errorEnd, errorSink) = try OwnedDescriptor.pipe()
  let bytes = Array(input.utf8)
  if !bytes.isEmpty { _ = write(inputSource.number, bytes, bytes.count) }
  inputSource.close()
  let names = environment.map { String($0.prefix { $0 != "=" } + "=") }
  let kept = SpawnRequest.ownEnvironment.filter { entry in !names.contains { entry.hasPrefix($0) } }
  let child = try Spawner.spawn(
    SpawnRequest(
      path: path, arguments: arguments, environment: kept + environment.map { ByteString($0) },
      descriptors: [(inputEnd.number, 0), (outputSink.number, 1), (errorSink.number, 2)]))
  inputEnd.close()
  outputSink.close()
  errorSink.close()

  let box = RunBox()
  try NativeThread.start(name: "errors") { box.set { $0.errors = readToEnd(errorEnd) } }
  try NativeThread.start(name: "output") { box.set { $0.output = readToEnd(outputEnd) } }
  try NativeThread.start(name: "status") { box.set { $0.status = child.wait() } }
  for _ in 0..<(seconds * 500) {
    if box.count == 3 { return box.run }
    try? await Task.sleep(for: .milliseconds(2))
  }
  child.signalGroup(SIGKILL)
  child.signal(SIGKILL)
  _ = await eventually { box.count == 3 }
  var result = box.run
  result.timedOut = true
  return result
}

/// What three threads find out.
private final class RunBox: Sendable {
  private let state = Locked((run: ProgramRun(), count: 0))
  var run: ProgramRun { state.withLock { $0.run } }
  var count: Int { state.withLock { $0.count } }

  func set(_ body: (inout ProgramRun) -> Void) {
    var found = ProgramRun()
    body(&found)
    state.withLock {
      if !found.output.isEmpty { $0.run.output = found.output }
      if !found.errors.isEmpty { $0.run.errors = found.errors }
      if found.status != .unknown { $0.run.status = found.status }
      $0.count += 1
    }
  }
}

private func readToEnd(_ descriptor: OwnedDescriptor) -> String {
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(descriptor.number, &chunk, chunk.count)
    if count < 0 && errno == EINTR { continue }
    if count <= 0 { break }
    bytes += chunk[..<count]
  }
  return String(decoding: bytes, as: UTF8.self)
}
