public import ApusSystem
import Glibc

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
///
/// - Parameters:
///   - environment: Added to the environment of the tests.
///   - prefix: Variables of the tests' environment whose names begin so are left out.
///   - joinsStreams: Whether what it writes to standard error is part of its output.
///   - seconds: How long it may take before it is killed.
public func runProgram(
  _ path: String, _ arguments: [String], environment: [String] = [], without prefix: String? = nil,
  input: String = "", joinsStreams: Bool = false, seconds: Int = hung
) async throws -> ProgramRun {
  let left = environment.map { String($0.prefix { $0 != "=" } + "=") } + (prefix.map { [$0] } ?? [])
  let kept = SpawnRequest.ownEnvironment.filter { entry in !left.contains { entry.hasPrefix($0) } }
  let request = SpawnRequest(
    path: path, arguments: arguments, environment: kept + environment.map { ByteString($0) })
  return try await withCheckedThrowingContinuation { continuation in
    do {
      try NativeThread.start(name: "program") {
        continuation.resume(
          with: Result { try runToEnd(request, input: input, joinsStreams: joinsStreams, seconds: seconds) })
      }
    } catch {
      continuation.resume(throwing: error)
    }
  }
}

/// Runs a program to its end, in this thread. Streams that the request does not give it are ours.
///
/// It is reaped as soon as it has ended, though what it started may still hold its streams: a zombie keeps Swift Testing
/// from seeing that the processes of its exit tests have ended.
package func runToEnd(
  _ request: SpawnRequest, input: String = "", joinsStreams: Bool = false, seconds: Int = hung
) throws -> ProgramRun {
  let (inputEnd, inputSource) = try OwnedDescriptor.pipe()
  let (outputEnd, outputSink) = try OwnedDescriptor.pipe()
  let (errorEnd, errorSink) = try OwnedDescriptor.pipe()
  let bytes = Array(input.utf8)
  if !bytes.isEmpty { _ = write(inputSource.number, bytes, bytes.count) }
  inputSource.close()
  var request = request
  let errors = joinsStreams ? outputSink : errorSink
  // Of two that have one target the last one counts.
  request.descriptors =
    [(inputEnd.number, 0), (outputSink.number, 1), (errors.number, 2)] + request.descriptors
  let child = try Spawner.spawn(request)
  for end in [inputEnd, outputSink, errorSink] { end.close() }

  var run = ProgramRun()
  var streams: [(source: OwnedDescriptor, bytes: [UInt8], isOpen: Bool)] = [
    (outputEnd, [], true), (errorEnd, [], true),
  ]
  var deadline = ContinuousClock.now + .seconds(seconds)
  while child.reap() == nil || streams.contains(where: { $0.isOpen }) {
    if .now >= deadline {
      // What was killed with it is gone by now; others have its streams.
      if run.timedOut { break }
      run.timedOut = true
      child.signalGroup(SIGKILL)
      child.signal(SIGKILL)
      deadline = .now + .seconds(hung)
    }
    var polled = streams.map {
      pollfd(fd: $0.isOpen ? $0.source.number : -1, events: Int16(POLLIN), revents: 0)
    }
    polled.append(pollfd(fd: child.pidfd, events: Int16(POLLIN), revents: 0))
    poll(&polled, 3, 200)
    for index in 0..<2 where polled[index].revents != 0 {
      streams[index].isOpen = readMore(streams[index].source, &streams[index].bytes)
    }
  }
  run.status = child.status ?? .unknown
  (run.output, run.errors) = (
    String(decoding: streams[0].bytes, as: UTF8.self), String(decoding: streams[1].bytes, as: UTF8.self)
  )
  return run
}

/// Reads a descriptor to its end, or until there is no more where it does not block, as text.
package func readToEnd(_ descriptor: OwnedDescriptor) -> String {
  var bytes: [UInt8] = []
  while readMore(descriptor, &bytes) {}
  return String(decoding: bytes, as: UTF8.self)
}

/// Reads what is there, or waits for something. Returns whether more may come.
private func readMore(_ descriptor: OwnedDescriptor, _ bytes: inout [UInt8]) -> Bool {
  withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 16) { chunk in
    let count = read(descriptor.number, chunk.baseAddress, chunk.count)
    if count > 0 { bytes += chunk[..<count] }
    return count > 0 || count < 0 && errno == EINTR
  }
}
