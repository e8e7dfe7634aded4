import CApus

/// What a process, and those of its descendants that it waited for, have used.
public struct ProcessUsage: Sendable, Hashable {
  /// Processor time in its own code: nanoseconds.
  public var userTime: UInt64 = 0
  /// Processor time in the kernel on its behalf: nanoseconds.
  public var systemTime: UInt64 = 0
  /// The most memory that one of them had at a time: bytes.
  public var peakMemory: UInt64 = 0

  init(_ ended: apus_exit) {
    (userTime, systemTime, peakMemory) = (ended.user_time, ended.system_time, ended.peak_memory)
  }
}
