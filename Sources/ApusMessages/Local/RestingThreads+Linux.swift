import ApusSystem
import Glibc
import Synchronization

/// The threads of this process while nothing but a message can wake any of them, as far as the kernel tells.
///
/// At rest are our threads that call nothing of the program's; a main thread that has been given to Dispatch, which
/// never goes on; and a thread that waits, without a time limit, for nothing but other threads and timers (Dispatch's
/// manager, or an event loop that has no descriptors). Dispatch's workers end when they have had nothing to do for some
/// seconds. Any other thread is at rest only if it sleeps in a call of ours, which its caller knows.
///
/// Of timers, those on the monotonic clock that are due within a second count for nothing: Dispatch has one of its own.
/// What is due there later than that it does not show.
struct RestingThreads {
  /// How many threads for awaited collective operations have one to carry out.
  static let collectivesAtWork = Atomic<Int>(0)

  private var others = 0
  private var forCollectives = 0
  /// The one that looks.
  private let own: Int32

  /// Whether all threads are at rest but `callers` of them, which sleep in calls of ours, and no timer may
  /// wake one. The thread that asks is one of the callers, unless it never calls anything of the program's.
  /// False if that can't be known.
  ///
  /// Once is not enough: a thread may be woken while others are looked at. It is running when this is asked
  /// again.
  static func areAllBut(_ callers: Int) -> Bool {
    // The threads first: mostly one is not at rest, which spares a look at every descriptor. And once more at
    // the end: a timer that was due meanwhile has woken one.
    self.callers() == callers && areTimersOff && self.callers() == callers
  }

  /// How many threads must be asleep in calls of ours; nil if another one may go on, or if it can't be known.
  private static func callers() -> Int? {
    guard let threads = entries("/proc/self/task"),
      let own = link("/proc/thread-self")?.split(separator: "/").last.flatMap({ Int32($0) })
    else { return nil }
    var resting = RestingThreads(own: own)
    for thread in threads {
      guard resting.add(thread) else { return nil }
    }
    // Of those for collective operations, only those that have one.
    return resting.others + min(resting.forCollectives, collectivesAtWork.load(ordering: .relaxed))
  }

  private init(own: Int32) { self.own = own }

  private mutating func add(_ thread: Int32) -> Bool {
    let folder = "/proc/self/task/\(thread)"
    guard let name = readSmallFile(folder + "/comm"), let stat = readSmallFile(folder + "/stat") else {
      return false  // it has just ended
    }
    if ["apus-lifeline\n", "apus-progress\n", "apus-spawner\n"].contains(name) { return true }
    // Behind the name, which may contain anything.
    guard let end = stat.lastIndex(of: ")"), let state = stat[end...].dropFirst(2).first else { return false }
    if state == "Z" || state == "X" { return true }
    if thread != own {
      guard state == "S", let call = SystemCall(readSmallFile(folder + "/syscall")) else { return false }
      if call.isEventLoop || call.isSigsuspend && thread == getpid() { return true }
    }
    if name == "apus-collective\n" { forCollectives += 1 } else { others += 1 }
    return true
  }

  private static var areTimersOff: Bool {
    guard let descriptors = entries("/proc/self/fd") else { return false }
    return descriptors.allSatisfy { descriptor in
      guard link("/proc/self/fd/\(descriptor)") == "anon_inode:[timerfd]" else { return true }
      guard let text = readSmallFile("/proc/self/fdinfo/\(descriptor)"),
        let clock = number("clockid:", in: text), let seconds = number("it_value: (", in: text)
      else { return false }
      return text.contains("it_value: (0, 0)") || clock == Int(CLOCK_MONOTONIC) && seconds == 0
    }
  }

  /// What a thread is in.
  private struct SystemCall {
    private let number: Int
    private let arguments: [UInt64]

    init?(_ text: String?) {
      let words = (text ?? "").split { $0 == " " || $0 == "\n" }
      guard words.count >= 7, let number = Int(words[0]) else { return nil }
      self.number = number
      arguments = words[1...6].map { UInt64($0.dropFirst(2), radix: 16) ?? 0 }
    }

    // Their numbers in the kernel; C's names for them are no constants in Swift.
    #if arch(x86_64)
      var isSigsuspend: Bool { number == 130 }
      private var isEpoll: Bool { number == 232 || number == 281 }
    #else
      var isSigsuspend: Bool { number == 133 }
      private var isEpoll: Bool { number == 22 }
    #endif

    /// Whether it waits for other threads and timers alone.
    var isEventLoop: Bool {
      guard isEpoll, UInt32(truncatingIfNeeded: arguments[3]) == .max,
        let text = readSmallFile("/proc/self/fdinfo/\(arguments[0])")
      else { return false }
      return text.split(separator: "\n").allSatisfy { line in
        guard let descriptor = RestingThreads.number("tfd:", in: String(line)) else { return true }
        return ["anon_inode:[eventfd]", "anon_inode:[timerfd]"].contains(
          RestingThreads.link("/proc/self/fd/\(descriptor)") ?? "")
      }
    }
  }

  // MARK: /proc

  /// The number behind a word, if the text has it.
  private static func number(_ word: String, in text: String?) -> Int? {
    guard let text else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(word) {
      return Int(line.dropFirst(word.count).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber })
    }
    return nil
  }

  private static func link(_ path: String) -> String? {
    var text = [UInt8](repeating: 0, count: 64)
    let count = text.withUnsafeMutableBytes {
      readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return count > 0 ? String(decoding: text[..<count], as: UTF8.self) : nil
  }

  /// The numbers that a folder has for names.
  private static func entries(_ path: String) -> [Int32]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var numbers: [Int32] = []
    while let entry = readdir(folder) {
      // An entry is as long as its name, and not as its type.
      let place = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
      if let number = Int32(String(cString: place.assumingMemoryBound(to: CChar.self))) {
        numbers.append(number)
      }
    }
    return numbers
  }
}
