import ApusSystem
import Glibc
import PoolStressSaboteur

/// Runs `body` on a thread of its own, where blocking is allowed, and awaits its end.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await withUnsafeThrowingContinuation { continuation in
    do {
      try NativeThread.start(name: "stress") {
        do { continuation.resume(returning: try body()) } catch { continuation.resume(throwing: error) }
      }
    } catch { continuation.resume(throwing: error) }
  }
}

/// Looks every millisecond whether `condition` holds, for ten seconds at most. Returns whether it came to hold.
///
/// Not a limit that a busy machine could break: what is waited for takes milliseconds.
func eventually(_ condition: () -> Bool) -> Bool {
  for _ in 0..<10_000 {
    if condition() { return true }
    usleep(1000)
  }
  return condition()
}

/// Keeps the processor busy.
func spin(nanoseconds: Int) { stress_spin(nanoseconds) }

/// Sleeps, as exactly as the kernel can, so that many can be timed at once.
func rest(_ microseconds: Int) { stress_rest(1000 * microseconds) }
