/// Waits until something is so, without a word about how long that takes: a minute is for ever.
public func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<30_000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return condition()
}
