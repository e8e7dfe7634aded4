import Glibc
import PoolStressSaboteur
import StressSupport

/// A file in memory that the program and its workers share: per task how often its body began and how often it
/// returned, and two words that say which worker is at something worth being killed for.
struct Counters: @unchecked Sendable {
  // Sound: all access is by atomic operations, in C, on memory that stays mapped.
  private let base: UnsafeMutableRawPointer
  private static let head = 4096
  static let capacity = 8 << 20

  /// In a worker, and in the program itself once it has made the file.
  static let shared = Counters()

  private init() {
    let file = open(Settings.inherited("APUS_STRESS_COUNTERS"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    let size = Self.head + 2 * Self.capacity
    precondition(file >= 0 && ftruncate(file, size) == 0, "the file of counters can't be made")
    base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)!
    precondition(base != MAP_FAILED)
    close(file)
  }

  private func begun(_ task: Int) -> UnsafeMutablePointer<UInt8> {
    (base + Self.head + task).assumingMemoryBound(to: UInt8.self)
  }
  private func returned(_ task: Int) -> UnsafeMutablePointer<UInt8> { begun(task) + Self.capacity }
  private func word(_ index: Int) -> UnsafeMutablePointer<UInt64> {
    (base + index * 128).assumingMemoryBound(to: UInt64.self)
  }

  func begin(_ task: Int) { _ = stress_count(begun(task)) }
  func `return`(_ task: Int) { _ = stress_count(returned(task)) }
  func begins(_ task: Int) -> Int { Int(begun(task).pointee) }
  func returns(_ task: Int) -> Int { Int(returned(task).pointee) }

  /// The worker that began a body last, and the one that is about to send a large result.
  func announceBody() { stress_store(word(0), UInt64(getpid())) }
  func announceResult() { stress_store(word(1), UInt64(getpid())) }
  func forgetAnnouncements() {
    stress_store(word(0), 0)
    stress_store(word(1), 0)
  }
  var workerInBody: Int32 { Int32(truncatingIfNeeded: stress_load(word(0))) }
  var workerWithResult: Int32 { Int32(truncatingIfNeeded: stress_load(word(1))) }
}
