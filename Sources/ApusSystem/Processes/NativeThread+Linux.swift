import CApus
import Glibc

/// Threads of the system, for what must outlive the caller or may block: never the cooperative pool's.
package enum NativeThread {
  /// Which signals a new thread takes. Every thread takes those that a fault in it raises: blocked, they would end the
  /// process without its handlers, and so without Swift's backtrace.
  package enum Signals: Sendable {
    /// No others: the program's handlers run on the program's own threads.
    case faults
    /// Those that the starting thread takes, and those that the main thread does: for threads that run users' code.
    /// Programs that it starts inherit the mask, and could not be ended by SIGTERM. A task's thread is one of Dispatch's,
    /// which block most.
    case likeProgram
  }

  /// Starts a detached thread.
  ///
  /// - Parameter stackBytes: `nil` for the system's default.
  package static func start(
    name: String, stackBytes: Int? = nil, signals: Signals = .faults, _ body: @escaping @Sendable () -> Void
  ) throws(ProcessError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }

    let start = Unmanaged.passRetained(Start(name: name, body: body))
    // A new thread inherits the mask, so no signal finds it unblocked for even a moment.
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, nil, &before)
    var blocked = before
    if signals == .faults { sigfillset(&blocked) } else { removeThoseOfMain(from: &blocked) }
    // Swift's backtracer stops the other threads of a crashed process with SIGPROF.
    for fault in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGPROF] {
      sigdelset(&blocked, fault)
    }
    pthread_sigmask(SIG_SETMASK, &blocked, nil)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

    var thread = pthread_t()
    var result = pthread_create(&thread, &attributes, run, start.toOpaque())
    if result == EINVAL && stackBytes != nil {
      // glibc takes static thread-local storage out of the stack, and some libraries have a lot of it.
      pthread_attr_destroy(&attributes)
      pthread_attr_init(&attributes)
      pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
      result = pthread_create(&thread, &attributes, run, start.toOpaque())
    }
    if result != 0 {
      start.release()
      if result == EAGAIN, !hasAddresses(stackBytes) { result = ENOMEM }
      throw ProcessError(errno: result, doing: "starting the thread \(name)")
    }
  }

  /// Opens what the main thread takes, as far as the kernel tells.
  private static func removeThoseOfMain(from blocked: inout sigset_t) {
    let lines = readSmallFile("/proc/self/status")?.split(separator: "\n") ?? []
    guard let line = lines.first(where: { $0.hasPrefix("SigBlk:") }),
      let mask = UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16)
    else { return }
    for signal in Int32(1)...64 where mask >> UInt64(signal - 1) & 1 == 0 { sigdelset(&blocked, signal) }
  }

  /// Whether there is room for a stack. Without, the system says the same as with too many threads.
  private static func hasAddresses(_ stackBytes: Int?) -> Bool {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_STACK.rawValue), &limit)
    let size = stackBytes ?? (limit.rlim_cur == rlim_t.max ? 8 << 20 : Int(limit.rlim_cur))
    let stack = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let stack, stack != MAP_FAILED else { return false }
    munmap(stack, size)
    return true
  }

  /// Runs what blocks on a thread of its own, while the caller suspends.
  package static func run<Value: Sendable>(
    name: String, signals: Signals = .faults, _ body: @escaping @Sendable () -> Value
  ) async -> Value {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Value, Never>) in
      do { try start(name: name, signals: signals) { continuation.resume(returning: body()) } } catch {
        // No thread is to be had: blocking this one is what is left.
        continuation.resume(returning: body())
      }
    }
  }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
    let start = Unmanaged<Start>.fromOpaque(pointer!).takeRetainedValue()
    apus_name_thread(start.name)
    start.body()
    return nil
  }
}

extension NativeThread {
  /// As much stack as the main thread has, in bytes.
  package static func mainStackSize() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_STACK.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max
    else {
      return 8 << 20
    }
    return max(Int(limit.rlim_cur), 1 << 20)
  }

  /// Lets the calling thread take every signal.
  package static func openSignals() {
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
  }
}
