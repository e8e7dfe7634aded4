// What goes through a channel. Every record starts with one of these headers, 32 bytes, at a multiple of 32.
// Elements are numbered per worker, from 0 on, in the order in which they are sent.

/// From the parent to a worker.
package struct TaskHeader: BitwiseCopyable {
  package enum Kind {
    /// `function`, as the `length` bytes that follow describe it.
    package static let define: UInt16 = 1
    /// `count` elements: a `UInt32` length of each, then their bytes. `length` is that of the whole.
    package static let chunk: UInt16 = 2
    /// `count` elements of plain memory of one size, `length` bytes in all.
    package static let rawChunk: UInt16 = 3
    /// One element of `length` bytes, more than a chunk may have.
    package static let large: UInt16 = 4
    /// `function` will not be called again.
    package static let forget: UInt16 = 5
    /// Nothing more will come: end.
    package static let stop: UInt16 = 6
  }

  package enum Flag {
    /// Note when each element is begun, for its time limit.
    package static let timed: UInt8 = 1
    /// Look between elements at how much memory is kept.
    package static let memory: UInt8 = 2
    /// Mark in the output where each element begins.
    package static let marked: UInt8 = 4
    /// That limit is the kernel's, too: the worker says at each task's end whether it counts (`ResultHeader.Kind.overLimit`).
    package static let grouped: UInt8 = 8
  }

  package var kind: UInt16
  package var flags: UInt8 = 0
  /// How often the element was tried before, in a worker that died.
  package var tries: UInt8 = 0
  package var count: UInt32 = 0
  package var function: UInt64 = 0
  package var first: UInt64 = 0
  package var length: UInt64 = 0

  package static let size = 32
}

/// From a worker to the parent.
package struct ResultHeader: BitwiseCopyable {
  package enum Kind {
    /// One element's value, `length` bytes.
    package static let value: UInt32 = 1
    /// The values of `count` elements from `sequence` on, plain memory of one size.
    package static let run: UInt32 = 2
    /// The same while the worker is at it: not published yet; `progress` says how many values are there.
    package static let openRun: UInt32 = 4
    /// One element's failure: a `FailureReport` of `length` bytes.
    package static let failure: UInt32 = 3
    /// One element is over, and the kernel has ended a process of its for the memory it held: what it returned does not count.
    package static let overLimit: UInt32 = 5
  }

  package var kind: UInt32
  package var count: UInt32
  package var sequence: UInt64
  package var length: UInt64
  /// Of a run, the record's position in the ring: what an earlier round has left at a place has another.
  package var position: UInt64 = 0

  package init(kind: UInt32, count: UInt32, sequence: UInt64, length: UInt64) {
    (self.kind, self.count, self.sequence, self.length) = (kind, count, sequence, length)
  }

  package static let size = 32
}

/// The sizes that both sides of a channel agree on.
package enum ChannelLimit {
  /// The largest record that lies in a ring as a whole; a longer one is streamed through it.
  package static let record = Channel.ringSize / 4
  /// How much of a streamed record is published at a time.
  package static let piece = Channel.ringSize / 8
}
