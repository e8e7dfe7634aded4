import CApus
import Glibc
import Synchronization

/// A descriptor of ours to which several relays write, one whole piece after the other.
///
/// Nobody who writes waits for whoever reads: what can't be written at once is kept, and a thread writes it.
package final class LineTarget: LineReceiver {
  /// With so much kept, relays should read no more.
  private static let congestion = 1 << 20
  /// A descriptor that is ready takes this much without blocking, and keeps it in one piece (PIPE_BUF).
  private static let longestSlice = 4096

  private struct State {
    var isBroken = false
    /// What is kept, the oldest first, and how much of it a thread has written.
    var kept: [UInt8] = []
    var isWriting = false
    /// Signalled when all that is kept was written.
    var waiting: [NativeSemaphore] = []
    /// Who wrote last, and whether that was not the end of a line.
    var writer: UInt64?
    var isInsideLine = false
  }

  private let descriptor: Int32
  /// The same, if it is this target's own.
  private let owned: OwnedDescriptor?
  private let isSocket: Bool
  private let isTerminal: Bool
  private let state = Locked(State())
  private let keptCount = Atomic<Int>(0)
  private let lossError = Atomic<Int32>(0)
  private let lossCount = Atomic<Int>(0)

  /// Does not take ownership. The descriptor may be blocking or not.
  package convenience init(_ descriptor: Int32) { self.init(descriptor, owned: nil) }

  /// Takes ownership. What is kept is written, however long that takes, before it is closed.
  package convenience init(_ descriptor: OwnedDescriptor) { self.init(descriptor.number, owned: descriptor) }

  private init(_ descriptor: Int32, owned: OwnedDescriptor?) {
    (self.descriptor, self.owned) = (descriptor, owned)
    var information = stat()
    isSocket = fstat(descriptor, &information) == 0 && information.st_mode & S_IFMT == S_IFSOCK
    isTerminal = information.st_mode & S_IFMT == S_IFCHR && isatty(descriptor) == 1
  }

  package var isCongested: Bool { keptCount.load(ordering: .relaxed) > Self.congestion }

  /// Whether everything is written or dropped.
  package var isSettled: Bool { keptCount.load(ordering: .relaxed) == 0 }

  /// Whether nobody will ever read what is written: the other end of the pipe is closed.
  package var isBroken: Bool { state.withLock { $0.isBroken } }

  /// Why something could not be written although somebody reads (a full disk), as an errno; 0: nothing was lost so.
  package var loss: Int32 { lossError.load(ordering: .relaxed) }

  /// How often something was lost.
  package var losses: Int { lossCount.load(ordering: .relaxed) }

  /// Notes that something was lost on its way here.
  package func noteLoss(_ error: Int32) {
    lossCount.add(1, ordering: .relaxed)
    _ = lossError.compareExchange(expected: 0, desired: error, ordering: .relaxed)
  }

  /// Writes all, sooner or later, without blocking. What cannot be written is dropped: a reader that has gone away
  /// must not end this program.
  ///
  /// A line that another writer has left open is ended first: it is cut, but nothing is mixed into it.
  ///
  /// - Parameters:
  ///   - writer: A number that is its alone (`newWriter`).
  ///   - isContinued: Whether this goes on with a line that `writer` has begun.
  package func write(
    _ bytes: UnsafeRawBufferPointer, from writer: UInt64? = nil, isContinued: Bool = false
  ) {
    guard isTerminal else { return write(bytes, from: writer, isContinued: isContinued, after: "") }
    StatusLine.aside { write(bytes, from: writer, isContinued: isContinued, after: $0) }
  }

  /// - Parameter before: What is to be printed before, and is no part of any line.
  private func write(
    _ bytes: UnsafeRawBufferPointer, from writer: UInt64?, isContinued: Bool, after before: StaticString
  ) {
    guard let last = bytes.last else { return }
    let newline = UInt8(ascii: "\n")
    state.withLock { state in
      if state.isBroken { return }
      put(UnsafeRawBufferPointer(start: before.utf8Start, count: before.utf8CodeUnitCount), &state)
      if state.writer != writer {
        // Its line was cut, and so ended, by another.
        if isContinued, bytes.count == 1, last == newline { return }
        if state.isInsideLine { withUnsafeBytes(of: newline) { put($0, &state) } }
      }
      (state.writer, state.isInsideLine) = (writer, last != newline)
      put(bytes, &state)
    }
  }

  /// Writes what is no line, for `StatusLine`.
  func writeAsItIs(_ text: String) {
    var text = text
    text.withUTF8 { bytes in state.withLock { put(UnsafeRawBufferPointer(bytes), &$0) } }
  }

  /// Not an address: the next writer may have that of one that has left a line open.
  static func newWriter() -> UInt64 { writers.add(1, ordering: .relaxed).newValue }
  private static let writers = Atomic<UInt64>(0)

  private func put(_ bytes: UnsafeRawBufferPointer, _ state: inout State) {
    if state.isBroken { return }
    var rest = bytes
    if state.kept.isEmpty, !state.isWriting, let way = wayThatNeverBlocks() {
      while !rest.isEmpty, isReady(0) {
        let written = writeOnce(slice(of: rest), &state.isBroken, way)
        if state.isBroken { return }
        rest = .init(rebasing: rest.dropFirst(written))
      }
    }
    guard !rest.isEmpty else { return }
    state.kept.append(contentsOf: rest)
    keptCount.store(state.kept.count, ordering: .relaxed)
    guard !state.isWriting else { return }
    do {
      try NativeThread.start(name: "apus-output") { self.writeKept() }
      state.isWriting = true
    } catch {
      drop(&state)  // not even a thread is to be had
    }
  }

  // MARK: Without blocking

  /// A descriptor to write to.
  private struct Way {
    let number: Int32
    /// It is open for as long as this is there, if it is not the program's own.
    let opened: OwnedDescriptor?
  }

  /// How to write so that the call never blocks; nil if only a thread of its own can.
  ///
  /// That the descriptor was ready is not enough: another program that writes to the same pipe may have filled it since.
  /// And whether calls block is a property of the open file, which that program shares, so it is not ours to change. A
  /// pipe or a terminal can be opened once more, with that property of its own: for this write alone, since whoever reads
  /// waits until the last who could write is gone. What else opens (a device, the master of a terminal) may be another
  /// file than ours.
  private func wayThatNeverBlocks() -> Way? {
    let asItIs = Way(number: descriptor, opened: nil)
    var information = stat()
    // What is no descriptor fails, at once.
    guard !isSocket, fstat(descriptor, &information) == 0 else { return asItIs }
    let kind = information.st_mode & S_IFMT
    guard kind == S_IFIFO || kind == S_IFCHR, fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0 else {
      return asItIs
    }
    if kind == S_IFCHR {
      if apus_is_memory_device(information.st_rdev) { return asItIs }
      guard isatty(descriptor) == 1, !apus_is_terminal_master(descriptor) else { return nil }
    }
    let again = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    // ENXIO: nobody reads the pipe, which the write will say.
    if again < 0 { return errno == ENXIO ? asItIs : nil }
    if again > 2 { return Way(number: again, opened: OwnedDescriptor(again)) }
    // A standard stream of the program is closed, and this must not take its place.
    let moved = fcntl(again, F_DUPFD_CLOEXEC, 3)
    close(again)
    return moved < 0 ? nil : Way(number: moved, opened: OwnedDescriptor(moved))
  }

  /// Blocks until what was kept is written, but not for ever: whoever reads may have stopped.
  package func settle() {
    guard keptCount.load(ordering: .relaxed) > 0 else { return }
    let done = NativeSemaphore()
    let mustWait = state.withLock { state in
      if state.kept.isEmpty && !state.isWriting { return false }
      state.waiting.append(done)
      return true
    }
    if mustWait { done.wait(milliseconds: 200) }
  }

  /// The writing thread's life: it ends when nothing is kept.
  private func writeKept() {
    while true {
      let piece: [UInt8]? = state.withLock { state in
        if state.kept.isEmpty || state.isBroken {
          drop(&state)
          state.isWriting = false
          return nil
        }
        return state.kept
      }
      guard let piece else { return }
      var isBroken = false
      piece.withUnsafeBytes { bytes in
        var rest = bytes
        while !rest.isEmpty, !isBroken {
          _ = isReady(-1)
          let written = writeOnce(slice(of: rest), &isBroken, Way(number: descriptor, opened: nil))
          rest = .init(rebasing: rest.dropFirst(written))
        }
      }
      state.withLock { state in
        state.isBroken = isBroken
        state.kept.removeFirst(piece.count)
        keptCount.store(state.kept.count, ordering: .relaxed)
      }
    }
  }

  /// What to write next: whole lines, if they are not too long. What the program itself prints can come between two
  /// writes of ours.
  private func slice(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let slice = bytes.prefix(Self.longestSlice)
    let lastNewline = slice.count < bytes.count ? slice.lastIndex(of: UInt8(ascii: "\n")) : nil
    return .init(rebasing: lastNewline.map { slice[...$0] } ?? slice)
  }

  private func drop(_ state: inout State) {
    state.kept = []
    keptCount.store(0, ordering: .relaxed)
    for waiting in state.waiting { waiting.signal() }
    state.waiting = []
  }

  private func isReady(_ milliseconds: Int32) -> Bool {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&waiting, 1, milliseconds) > 0
  }

  /// Returns how many bytes are done with.
  private func writeOnce(_ bytes: UnsafeRawBufferPointer, _ isBroken: inout Bool, _ way: Way) -> Int {
    let (written, error) = systemWrite(bytes, way.number)
    if written >= 0 { return written }
    if error == EINTR || error == EAGAIN { return 0 }
    // Other errors (ENOSPC, EIO) may pass: they cost this piece alone. What is printed to a closed stream is meant to
    // be lost, and that stream may be opened again.
    isBroken = error == EPIPE
    if !isBroken, error != EBADF { noteLoss(error) }
    return bytes.count
  }

  private func systemWrite(_ bytes: UnsafeRawBufferPointer, _ descriptor: Int32) -> (count: Int, error: Int32)
  {
    if isSocket {
      let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      return (count, count < 0 ? errno : 0)
    }
    return withoutBrokenPipeSignal {
      let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      return (count, count < 0 ? errno : 0)
    }
  }
}

/// Runs a write whose SIGPIPE, if it raises one, never arrives. A library must not ignore SIGPIPE for the whole
/// process, and there is no MSG_NOSIGNAL for pipes; but the signal of a write is sent to the writing thread, so
/// it can be blocked here and then taken away.
private func withoutBrokenPipeSignal(
  _ write: () -> (count: Int, error: Int32)
) -> (count: Int, error: Int32) {
  var pipe = sigset_t()
  var before = sigset_t()
  var pending = sigset_t()
  sigemptyset(&pipe)
  sigaddset(&pipe, SIGPIPE)
  // One that is pending already is somebody else's, and ours would merge with it.
  sigpending(&pending)
  let wasPending = sigismember(&pending, SIGPIPE) == 1
  pthread_sigmask(SIG_BLOCK, &pipe, &before)
  let result = write()
  if result.error == EPIPE && !wasPending {
    var now = timespec()
    while sigtimedwait(&pipe, nil, &now) < 0 && errno == EINTR { continue }
  }
  pthread_sigmask(SIG_SETMASK, &before, nil)
  return result
}
