import ApusSystem

/// One rank as its supervisor sees it.
final class RankProcess {
  let rank: Int
  let child: ChildProcess
  let output: RankStream
  let errors: RankStream
  /// The lifeline, from when it joins until it hangs up.
  var connection: RankConnection?
  /// Who is the rank: the child, or a descendant that has joined.
  var process: Int32
  var hasJoined = false
  /// Whether the result of its body has come.
  var hasReturned = false
  var hasFinalized = false
  var hasFailed = false
  var hasAborted = false
  /// When the rank counts as having hung up. Its connection is gone, but its process may be about to end.
  var leavesAt: UInt64?
  var status: ExitStatus?

  init(rank: Int, child: ChildProcess, output: RankStream, errors: RankStream) {
    (self.rank, self.child, self.output, self.errors) = (rank, child, output, errors)
    process = child.pid
  }

  var hasEnded: Bool { status != nil }
}
