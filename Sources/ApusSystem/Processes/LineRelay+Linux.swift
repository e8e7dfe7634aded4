import Glibc
import Synchronization

/// Who gets lines in the end, as a relay needs to know it.
package protocol LineReceiver: AnyObject, Sendable {
  /// Whether it has more than it can take: reading on would only fill our memory.
  var isCongested: Bool { get }
  /// Whether nobody will ever read them.
  var isBroken: Bool { get }
}

/// Forwards what a child prints, in whole lines, so that the lines of several children do not run into each
/// other; and keeps the end of it for error messages.
///
///     while relay.drain() { /* poll for the source to be readable */ }
///     relay.finish()
package final class LineRelay: Sendable {
  /// Longer lines go on in pieces, so that a child that prints no newline at all costs no more memory than this.
  package static let longestLine = 16 << 20
  /// What there is room for while no line is longer.
  private static let usualRoom = 64 * 1024

  private let source: OwnedDescriptor
  private let target: LineTarget?
  private let pace: (any LineReceiver)?
  private let writer = LineTarget.newWriter()
  private let holdsLines: Bool
  private let observer: (@Sendable (UnsafeRawBufferPointer) -> Void)?
  private let state = Locked(State())
  // Apart from the rest: `tail` must not wait for a target that does not read.
  private let end = Locked(Tail())

  // Sound: `pointer` is this value's alone, and it stays behind the lock.
  private struct State: ~Copyable, @unchecked Sendable {
    var pointer = UnsafeMutableRawBufferPointer.allocate(byteCount: usualRoom, alignment: 16)
    var filled = 0
    /// Whether the last that was forwarded was not the end of a line.
    var isInsideLine = false
    var hasEnded = false
    deinit { pointer.deallocate() }

    mutating func resize(to count: Int) {
      let new = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
      new.copyMemory(from: UnsafeRawBufferPointer(rebasing: pointer[..<filled]))
      pointer.deallocate()
      pointer = new
    }
  }

  /// Takes over the reading end, which is made non-blocking.
  ///
  /// - Parameters:
  ///   - target: Where the lines go; `nil` to keep only the tail.
  ///   - pace: Where they go in another way (the observer's); it is not written to from here.
  ///   - holdsLines: Whether lines are forwarded as a whole; else what the child prints goes on at once.
  ///   - observer: Gets the same pieces as the target, each one or more whole lines, on the draining thread.
  package init(
    source: OwnedDescriptor,
    target: LineTarget?,
    pace: (any LineReceiver)? = nil,
    holdsLines: Bool = true,
    observer: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
  ) throws(ProcessError) {
    self.source = source
    self.target = target
    self.pace = pace ?? target
    self.holdsLines = holdsLines
    self.observer = observer
    try source.setNonBlocking()
  }

  /// The descriptor to poll for reading; -1 once finished.
  package var descriptor: Int32 { source.number }

  /// Whether the target has more than it can write: reading on would only fill our memory.
  package var isCongested: Bool { pace?.isCongested ?? false }

  /// Whether nobody will ever read what is forwarded.
  package var isBroken: Bool { pace?.isBroken ?? false }

  /// The last 8 KiB that the child printed, forwarded or not.
  package var tail: String { end.withLock { $0 }.text }

  /// Forwards what there is to read, without waiting for more. One thread at a time. Returns `false` at the end of the stream.
  ///
  /// Reads at most 1 MiB, so that one chatty child cannot keep the thread: poll level-triggered.
  package func drain() -> Bool {
    state.withLock { state in
      for _ in 0..<16 where !state.hasEnded {
        let space = UnsafeMutableRawBufferPointer(rebasing: state.pointer[state.filled...])
        let count = read(source.number, space.baseAddress, space.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 && errno == EAGAIN { return true }
        // A terminal reports its end as EIO; no other error gets better by reading on.
        if count <= 0 {
          state.hasEnded = true
          break
        }
        accept(count, &state)
      }
      return !state.hasEnded
    }
  }

  /// Whether there is the beginning of a line that waits for its end, and not too long for a question.
  package var mayBeAsking: Bool { state.withLock { 1...1024 ~= $0.filled } }

  /// Forwards the beginning of a line: it may be a question, and the line's end come after the answer.
  package func forwardOpenLine() { state.withLock { state in forward(state.filled, &state) } }

  /// Forwards what is left of a last line, and closes the source. Reads nothing: call `drain()` before.
  ///
  /// - Parameter endsLine: Adds the newline that a child which died in the middle of a line did not print.
  package func finish(endsLine: Bool = true) {
    state.withLock { state in
      state.hasEnded = true
      source.close()
      let isOpen = state.filled > 0 || state.isInsideLine
      if isOpen && endsLine {
        // There is room: a full buffer is forwarded, or grows, at once.
        state.pointer[state.filled] = UInt8(ascii: "\n")
        state.filled += 1
      }
      forward(state.filled, &state)
    }
  }

  /// Reads no more, and does not close the source, whose number another file may have.
  package func abandon() { _ = source.take() }

  private func accept(_ count: Int, _ state: inout State) {
    let new = UnsafeRawBufferPointer(rebasing: state.pointer[state.filled..<(state.filled + count)])
    end.withLock { $0.append(new) }
    // Only the new bytes can hold a newline: what was kept is part of one line.
    let afterLine = new.lastIndex(of: UInt8(ascii: "\n")).map { state.filled + $0 + 1 }
    state.filled += count
    if !holdsLines {
      forward(state.filled, &state)
    } else if let afterLine {
      forward(afterLine, &state)
    }
    if state.filled == state.pointer.count {
      if state.filled < Self.longestLine {
        state.resize(to: 2 * state.filled)
      } else {
        forward(state.filled, &state)
      }
    } else if state.pointer.count > Self.usualRoom, state.filled < Self.usualRoom / 2 {
      // The long line is over.
      state.resize(to: Self.usualRoom)
    }
  }

  private func forward(_ count: Int, _ state: inout State) {
    if count == 0 { return }
    let piece = UnsafeRawBufferPointer(rebasing: state.pointer[..<count])
    target?.write(piece, from: writer, isContinued: state.isInsideLine)
    state.isInsideLine = piece[count - 1] != UInt8(ascii: "\n")
    observer?(piece)
    state.filled -= count
    memmove(state.pointer.baseAddress!, state.pointer.baseAddress! + count, state.filled)
  }
}
