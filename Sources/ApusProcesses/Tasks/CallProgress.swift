/// How far a call has come: see `ProcessPool.onProgress`.
public struct CallProgress: Sendable, Hashable {
  /// How many of its tasks are over, failed ones included.
  public let done: Int
  /// How many of these have failed.
  public let failed: Int
  /// How many tasks the call has; nil if its inputs do not say.
  public let total: Int?

  /// Tells of what has changed.
  final class Reporter {
    private let tell: @Sendable (CallProgress) -> Void
    private let total: Int?
    private var last: CallProgress?

    init(_ tell: @escaping @Sendable (CallProgress) -> Void, total: Int?) {
      (self.tell, self.total) = (tell, total)
    }

    func report(done: Int, failed: Int) {
      let progress = CallProgress(done: done, failed: failed, total: total)
      guard progress != last, done > 0 else { return }
      last = progress
      tell(progress)
    }
  }
}
