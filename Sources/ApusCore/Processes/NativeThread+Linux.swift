import CApus
import Glibc

/// Threads of the system, for what must outlive the caller or may block: never the cooperative pool's.
package enum NativeThread {
  /// Starts a detached thread that takes no signal: the program's handlers run on the program's own threads.
  ///
  /// - Parameter stackBytes: `nil` for the system's default.
  package static func start(
    name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
  ) throws(ProcessError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }

    let start = Unmanaged.passRetained(Start(name: name, body: body))
    // A new thread inherits the mask, so no signal finds it unblocked for even a moment.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    // Swift's backtracer stops the other threads of a crashed process with this one.
    sigdelset(&all, SIGPROF)
    pthread_sigmask(SIG_SETMASK, &all, &before)
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
    name: String, _ body: @escaping @Sendable () -> Value
  ) async -> Value {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Value, Never>) in
      do { try start(name: name) { continuation.resume(returning: body()) } } catch {
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

/// A semaphore on which native threads sleep.
package final class NativeSemaphore: @unchecked Sendable {
  // Sound: a sem_t at a fixed address is made for use by several threads; the pointer itself never changes.
  private let semaphore: UnsafeMutablePointer<sem_t>

  package init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  package func signal() { sem_post(semaphore) }

  package func wait() {
    while sem_wait(semaphore) != 0 { continue }  // EINTR: a handler ran on this thread.
  }

  /// Returns false if nobody signals in time.
  @discardableResult
  package func wait(milliseconds: Int) -> Bool {
    var end = timespec()
    clock_gettime(CLOCK_REALTIME, &end)
    end.tv_nsec += (milliseconds % 1000) * 1_000_000
    end.tv_sec += milliseconds / 1000 + end.tv_nsec / 1_000_000_000
    end.tv_nsec %= 1_000_000_000
    while sem_timedwait(semaphore, &end) != 0 {
      if errno != EINTR { return false }
    }
    return true
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }
}
