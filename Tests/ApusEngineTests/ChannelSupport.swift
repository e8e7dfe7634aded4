@testable import ApusEngine
@testable import ApusSystem
@testable import ApusWire
import CApus
import Glibc
import Synchronization

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

/// The memory of a channel, as the engine makes it for a worker.
func makeChannelMemory() throws -> OwnedDescriptor {
  let number = apus_memory_create("apus-test", Channel.size)
  guard number >= 0 else { throw ProcessError(errno: -number, doing: "make a channel") }
  return OwnedDescriptor(number)
}

/// A worker as the engine sees it, whose process only sleeps: the test itself writes what comes back, through a
/// mapping of its own.
final class FakeWorker {
  let worker: EngineWorker
  /// The same memory as the worker would see it.
  let theirs: Channel
  var tasks: RingReader
  var results: RingWriter
  private let parts: Parts

  /// All share a process, since it does nothing, until a test has it killed.
  private static let process = Mutex<ChildProcess?>(nil)
  private let child: ChildProcess

  /// What a worker is made of, for one after the other.
  final class Parts {
    let memory: OwnedDescriptor
    let ours: Channel
    let theirs: Channel
    let control: (OwnedDescriptor, OwnedDescriptor)
    let output: LineRelay
    let errors: LineRelay
    private let sinks: [OwnedDescriptor]

    init() throws {
      memory = try makeChannelMemory()
      (ours, theirs) = (try Channel(mapping: memory.number), try Channel(mapping: memory.number))
      control = try OwnedDescriptor.socketPair()
      let (output, outputSink) = try OwnedDescriptor.pipe()
      let (errors, errorSink) = try OwnedDescriptor.pipe()
      self.output = try LineRelay(source: output, target: nil)
      self.errors = try LineRelay(source: errors, target: nil)
      sinks = [outputSink, errorSink]
    }

    /// The words as they are in the beginning; what lies in the rings stays.
    func reset() {
      let zeros = [UInt8](repeating: 0, count: Channel.headSize)
      precondition(pwrite(memory.number, zeros, zeros.count, 0) == zeros.count)
      var note: UInt8 = 0
      while recv(control.1.number, &note, 1, Int32(MSG_DONTWAIT)) == 1 {}
    }
  }

  init(_ parts: Parts? = nil) throws {
    self.parts = try parts ?? Parts()
    let parts = self.parts
    theirs = parts.theirs
    child = try Self.process.withLock { process in
      if let process { return process }
      let made = try Spawner.spawn(SpawnRequest(path: "/bin/sleep", arguments: ["sleep", "100000"]))
      process = made
      return made
    }
    worker = EngineWorker(
      slot: 0,
      process: ChildWorker(
        child, parts.ours, control: parts.control.0, output: parts.output, errors: parts.errors),
      channel: parts.ours, touched: TouchedJobs(), ledger: TaskLedger(EventStream(), Event.Source("test")),
      now: apus_now())
    worker.state = .ready
    tasks = theirs.taskReader
    results = theirs.resultWriter
  }

  /// A zombie that nobody reaps would keep Swift Testing from seeing that the processes of its exit tests have ended.
  deinit {
    guard worker.isKilled else { return }
    Self.process.withLock { if $0 === child { $0 = nil } }
    _ = child.wait()
  }

  /// Gives the worker `count` tasks of a job. Returns how many it took.
  @discardableResult
  func give(_ job: EngineJob, _ count: Int, stride: Int = 8) throws -> Int {
    let buffer = ByteBuffer()
    memset(buffer.uninitialized(count: count * stride), 1, count * stride)
    let batch: InputBatch
    if job.function.strides == nil {
      batch = InputBatch(coded: buffer, ends: (1...count).map { $0 * stride })
    } else {
      batch = InputBatch(raw: buffer.baseAddress, stride: stride, count: count, owner: buffer)
    }
    let span = InputSpan(batch: batch, range: 0..<count, base: 0)
    let sent = try worker.send(span, count: count, messages: 1, job: job)
    job.inFlight += sent
    return sent
  }

  /// Publishes a record as a worker would.
  func answer(_ header: ResultHeader, _ bytes: [UInt8] = []) {
    place(header, bytes)
    results.publish(recordSize(ResultHeader.size + bytes.count))
  }

  func place(_ header: ResultHeader, _ bytes: [UInt8] = []) {
    results.place().storeBytes(of: header, as: ResultHeader.self)
    bytes.withUnsafeBytes {
      if let base = $0.baseAddress {
        results.place(ResultHeader.size).copyMemory(from: base, byteCount: $0.count)
      }
    }
  }
}

/// A job of a function that nobody calls.
func makeJob(strides: (input: Int, output: Int)? = nil, destination: UnsafeMutableRawPointer? = nil)
  -> EngineJob
{
  let bytes = ByteBuffer()
  bytes.append(UInt64(0))
  return EngineJob(
    FunctionDefinition(bytes: bytes, carriesContext: false, strides: strides), destination: destination)
}
