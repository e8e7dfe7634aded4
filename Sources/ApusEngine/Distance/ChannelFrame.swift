import ApusSystem
package import ApusWire

/// What has happened at one end of a channel since the last frame, for the image of the channel at another place.
///
/// A worker on another rank has two channels: one beside its engine, one beside itself. Bytes that are written into a
/// ring of one go by frames to the same place in the other; a place that is free again is told on the way back, so that
/// neither end ever sends what the other has no room for. Frames of a worker arrive in the order in which they were sent.
package struct ChannelFrame: BitwiseCopyable {
  package enum Kind {
    /// From the engine: start a worker, end it, end all.
    package static let start: UInt32 = 1
    package static let kill: UInt32 = 2
    package static let finish: UInt32 = 3
    /// Either way: something moved in the channel.
    package static let moved: UInt32 = 4
    /// To the engine: the worker has ended. A `WorkerEnding` follows.
    package static let ended: UInt32 = 5
  }

  package var kind: UInt32
  /// Which of its rank's workers.
  package var worker: UInt32
  /// How often the worker was replaced: what comes late from its predecessor is not for it.
  package var generation: UInt32
  package var process: Int32 = 0
  /// How far the ring that comes this way is free again.
  package var consumed: UInt64 = 0
  /// To the engine: `Channel.progress`, and for how long the worker has been at its task.
  package var progress: UInt64 = 0
  package var begunAgo: UInt64 = 0
  /// To the engine: whether the worker has had a fault, and is about to end (`Channel.crashed`).
  package var isCrashed: UInt64 = 0
  /// To the worker: `Channel.cancelled`.
  package var cancelled: UInt64 = 0
  /// To the worker: `Channel.place` and `Channel.seed`.
  package var place: UInt64 = 0
  package var seed: UInt64 = 0
  /// To the worker: take back what comes before this task. To the engine: what was taken back begins with this one.
  package var revocation: UInt64 = Self.none
  /// Bytes that were published in the ring, and bytes behind them that are there already.
  package var published: UInt32 = 0
  package var ahead: UInt32 = 0
  /// 1: the worker takes tasks.
  package var isReady: UInt64 = 0
  package var identity: (UInt64, UInt64, UInt64) = (0, 0, 0)

  package static let none = UInt64.max
  package static let size = MemoryLayout<Self>.size

  package init(_ kind: UInt32, worker: Int, generation: UInt32) {
    (self.kind, self.worker, self.generation) = (kind, UInt32(worker), generation)
  }

  /// The frame and what follows it, checked against each other; nil if they do not fit.
  package static func read(_ buffer: ByteBuffer) -> (frame: ChannelFrame, rest: UnsafeRawBufferPointer)? {
    guard buffer.count >= size else { return nil }
    let frame = buffer.bytes.loadUnaligned(as: ChannelFrame.self)
    let rest = UnsafeRawBufferPointer(rebasing: buffer.bytes[size...])
    guard frame.kind != Kind.moved || rest.count == Int(frame.published) + Int(frame.ahead) else {
      return nil
    }
    return (frame, rest)
  }

  package func buffer(_ capacity: Int = 0) -> ByteBuffer {
    let buffer = ByteBuffer(capacity: Self.size + capacity)
    buffer.append(self)
    return buffer
  }
}

extension WorkerEnding {
  /// With the end of what the worker wrote to standard error.
  package func append(to buffer: ByteBuffer, standardError: String) {
    var (kind, value, isDumped): (Int32, Int32, Int32) =
      switch status {
      case .exited(let code): (0, code, 0)
      case .signalled(let signal, let isDumped): (1, signal, isDumped ? 1 : 0)
      case .unknown: (2, 0, 0)
      }
    if goesOn { kind = 3 }
    buffer.append(kind)
    buffer.append(value)
    buffer.append(isDumped)
    for part in code.places.indices { buffer.append(code.places[part]) }
    buffer.append(string: problem ?? "")
    buffer.append(string: standardError)
  }

  package static func read(_ bytes: UnsafeRawBufferPointer) throws(WorkerProtocolError) -> (
    ending: WorkerEnding, standardError: String
  ) {
    var reader = ByteReader(bytes)
    let kind = try reader.value(Int32.self)
    let value = try reader.value(Int32.self)
    let isDumped = try reader.value(Int32.self)
    let code = try FunctionCode { (_) throws(WorkerProtocolError) in try reader.value() }
    let status: ExitStatus =
      kind == 0 ? .exited(value) : kind == 1 ? .signalled(value, coreDumped: isDumped != 0) : .unknown
    let problem = try reader.string()
    return (
      WorkerEnding(
        status: status, problem: problem.isEmpty ? nil : problem, goesOn: kind == 3, code: code),
      try reader.string()
    )
  }
}
