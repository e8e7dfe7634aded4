import Glibc

/// Says on standard error why this process can't do what it was started for, and ends it at once, with the status 70.
///
/// - Parameter role: What it was started as.
package func endProcess(_ error: any Error, as role: String) -> Never {
  let text = "apus \(role): \(error)\n"
  _ = text.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
  _exit(70)
}
