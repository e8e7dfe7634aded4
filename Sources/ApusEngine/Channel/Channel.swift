package import ApusSystem
package import ApusWire
import CApus
import Synchronization

/// The shared memory between a parent and one worker: a page of words, and a ring each way.
///
/// Nothing in it is shared with a second worker and nothing in it is a lock, so a worker that dies at any
/// instant leaves nobody waiting for something that it held.
///
/// Each word has one writer. Words that different sides write lie 128 bytes apart: a cache line, and the
/// neighbour that the processor fetches along with it.
package final class Channel: @unchecked Sendable {
  // Sound: the object is constants, but for `whenWoken`, which is set before anybody else has the channel; what they
  // point to is made of atomics and of ring bytes that belong to one side at a time.

  /// Bytes of each ring. A power of two, and big enough that a chunk of results fits a quarter of it.
  package static let ringSize = 256 << 10
  static let headSize = 4096
  package static let size = headSize + 2 * ringSize
  package static let magic: UInt64 = 0x4150_5553_0000_0001

  private let base: UnsafeMutableRawPointer
  private var whenWoken: (() -> Void)?

  /// One in this process alone.
  package convenience init() throws(ProcessError) {
    let number = apus_memory_create("apus-channel", Self.size)
    guard number >= 0 else { throw ProcessError(errno: -number, doing: "make a worker's memory") }
    let memory = OwnedDescriptor(number)
    try self.init(mapping: memory.number)
  }

  package init(mapping descriptor: Int32) throws(ProcessError) {
    guard let base = apus_memory_map(descriptor, Self.headSize, Self.ringSize, 2) else {
      throw ProcessError(errno: errnoNow(), doing: "map a worker's shared memory")
    }
    self.base = base
  }

  deinit { apus_memory_unmap(base, Self.headSize, Self.ringSize, 2) }

  @inline(__always)
  private func word(_ line: Int, _ index: Int = 0) -> SharedWord {
    (base + line * 128 + index * 8).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  // MARK: Written by the parent

  /// A worker that is about to start element `s` with `gate <= s` asks `mayStart` first. It is 0 while the
  /// parent sleeps or takes elements back, and `.max` else: one load an element is what both cost.
  package var gate: SharedWord { word(0) }
  /// Elements in `revokedFrom ..< revokedTo` are taken back. Valid while `revocation` is `.decided`.
  package var revokedFrom: SharedWord { word(0, 2) }
  package var revokedTo: SharedWord { word(0, 3) }
  package var revocation: SharedWord { word(0, 4) }
  /// One more than the element that is asked to stop, or 0.
  package var cancelled: SharedWord { word(0, 5) }
  /// Which of its pool's workers it is, from 0 on, and the seed of its random generator. Written before the worker's first
  /// task.
  package var place: SharedWord { word(0, 6) }
  package var seed: SharedWord { word(0, 7) }
  /// How many bytes the worker may hold; 0: as many as there are.
  package var memoryLimit: SharedWord { word(0, 8) }
  /// What its marks in its output begin with; see `OutputMark`.
  package var outputToken: SharedWord { word(0, 9) }
  private var taskTail: SharedWord { word(1) }
  private var resultHead: SharedWord { word(2) }

  // MARK: Written by the worker

  private var taskHead: SharedWord { word(3) }
  private var resultTail: SharedWord { word(4) }
  /// `2 s`: every element before `s` is done, and `s` is not begun. `2 s + 1`: `s` is being worked on.
  package var progress: SharedWord { word(5) }
  /// When the element in `progress` was begun, for calls with a time limit. Nanoseconds, monotonic.
  package var begun: SharedWord { word(5, 1) }
  /// When a fault of the worker raised a signal, or 0: it is at its backtrace, and then ends. Nanoseconds, monotonic.
  package var crashed: SharedWord { word(5, 2) }
  /// Not 0: the worker has kept too much memory to begin another task, and ends in good order.
  package var isFull: SharedWord { word(5, 3) }
  /// Which part of the element in hand it is at, if its function takes many values as one element: from 0 on.
  package var part: SharedWord { word(5, 4) }
  /// Whether it did so in the element that was begun last, of a call with a time limit. A fault before that was survived:
  /// the program's own handler has dealt with it.
  package var hasCrashedInHead: Bool {
    let crashed = crashed.pointee.load(ordering: .relaxed)
    return crashed != 0 && crashed >= begun.pointee.load(ordering: .relaxed)
  }
  /// The parts of the `FunctionCode` of the function at hand.
  package func function(_ part: Int) -> SharedWord { word(6, 5 + part) }
  /// The same, as whoever reads the channel has it.
  package var functionCode: FunctionCode {
    get { (try? FunctionCode { part in function(part).pointee.load(ordering: .relaxed) }) ?? FunctionCode() }
    set {
      for part in newValue.places.indices {
        function(part).pointee.store(newValue.places[part], ordering: .relaxed)
      }
    }
  }
  /// `magic` once the worker takes tasks.
  package var ready: SharedWord { word(6) }
  /// Not 0: the kernel lets the worker have no membarrier, so its fast paths fence.
  package var needsFences: SharedWord { word(6, 1) }
  /// Whether the worker fences for itself.
  package var workerFences: Bool { needsFences.pointee.load(ordering: .relaxed) != 0 }
  /// The identity of the program's image, 20 bytes in three words.
  package func identity(_ part: Int) -> SharedWord { word(6, 2 + part) }

  // MARK: Written by both

  /// Not 0: ring the doorbell at the next thing the parent could want to know. The parent asks, the worker
  /// takes the request back as it rings.
  package var wakeUpRequest: SharedWord { word(8) }
  /// 1 while the worker sleeps, or is about to; the parent sets it to 0 before it wakes it.
  package var sleeping: SharedWord { word(7) }

  package var taskWriter: RingWriter {
    RingWriter(base: base + Self.headSize, capacity: Self.ringSize, tail: taskTail, head: taskHead)
  }
  package var taskReader: RingReader {
    RingReader(base: base + Self.headSize, capacity: Self.ringSize, tail: taskTail, head: taskHead)
  }
  package var resultWriter: RingWriter {
    RingWriter(
      base: base + Self.headSize + 2 * Self.ringSize, capacity: Self.ringSize, tail: resultTail,
      head: resultHead)
  }
  package var resultReader: RingReader {
    RingReader(
      base: base + Self.headSize + 2 * Self.ringSize, capacity: Self.ringSize, tail: resultTail,
      head: resultHead)
  }

  // MARK: Waking the worker

  /// After something was published for the worker: wakes it if it sleeps.
  @inline(__always)
  package func wakeWorker() {
    // The full fence pairs with the one in `sleepAsWorker`: either we see that it sleeps, or it sees what
    // we published.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    guard sleeping.pointee.load(ordering: .relaxed) != 0 else { return }
    if let whenWoken { return whenWoken() }
    sleeping.pointee.store(0, ordering: .relaxed)
    apus_futex_wake(sleeping, 1)
  }

  /// Has `body` called instead whenever the worker is to be woken, on the thread that does: for a channel with no
  /// process at its other end.
  package func whenWoken(_ body: @escaping () -> Void) {
    whenWoken = body
    sleeping.pointee.store(1, ordering: .relaxed)
  }

  /// Sleeps until `wakeWorker`, unless `hasWork` says that there is some already.
  package func sleepAsWorker(unless hasWork: () throws -> Bool) rethrows {
    sleeping.pointee.store(1, ordering: .relaxed)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if try !hasWork() { apus_futex_wait(sleeping, 1, -1) }
    sleeping.pointee.store(0, ordering: .relaxed)
  }

  // MARK: Forks

  /// For a worker's loop: gives what is forked from it a copy of the channel, in which the child may finish what it is
  /// at, and where it then looks up (`WorkerLoop.notify`): its gate is shut, and somebody asks to be woken.
  ///
  /// - Parameter ofAnyThread: Whether it is the channel of the whole process, and not of the calling thread alone.
  func detachInForks(ofAnyThread: Bool) {
    func offset(_ word: SharedWord) -> Int { UnsafeRawPointer(word) - UnsafeRawPointer(base) }
    apus_fork_detaches(
      base, Self.headSize, Self.ringSize, offset(gate), offset(wakeUpRequest), ofAnyThread)
  }
}

extension Channel {
  /// Makes what was stored be seen by workers before what they do next, and what they did before that be seen by what is
  /// loaded next. False if that is not sure of all of them: the kernel lets us have no barrier (any more), and there are
  /// some that count on it.
  package static func order(allFence: () -> Bool) -> Bool {
    if apus_barrier_all() { return true }
    // Our side alone. It is enough for a worker that fences.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    return allFence()
  }

  /// How long to sleep at a time where a wake may be missed.
  package static let unsureSleep: UInt64 = 5_000_000  // ns
}

/// The state of taking elements back from a worker; see `Channel.revocation`.
package enum Revocation {
  package static let none: UInt64 = 0
  /// The parent is reading `progress`; a worker about to start an element waits for the decision.
  package static let deciding: UInt64 = 1
  package static let decided: UInt64 = 2
}
