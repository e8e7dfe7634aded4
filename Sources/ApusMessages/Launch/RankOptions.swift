import ApusSystem

/// How ranks are looked after.
package struct RankOptions: Sendable {
  /// What becomes of the lines that ranks print on one stream.
  package enum Output: Sendable, Hashable {
    /// They are passed on as they come, each line whole.
    case plain
    /// The same, each behind its rank: `[2] text`.
    case prefixed
    /// They are kept, in a file without a name, and passed on when the rank has ended, in the order of the ranks.
    case grouped
    /// They are dropped; the end of standard error appears in the report of a failure.
    case discarded
  }

  package enum Failure: Sendable, Hashable {
    /// When one rank fails, the others are ended.
    case endsOthers
    /// The others go on.
    case spares
  }

  package var output = Output.plain
  package var errors = Output.plain
  /// Whether rank 0 gets this process's standard input. All others find theirs at its end.
  package var forwardsInput = true
  /// Whether lines of `plain` output are held until they end. Not needed for a rank that is alone: no other's
  /// lines could run into them.
  package var holdsLines = true
  package var failure = Failure.endsOthers
  /// How long all may take; nil: as long as they like.
  package var timeLimit: Duration?
  /// How long the others have, after a failure or a signal, to end by themselves. Then they get SIGTERM.
  package var grace = Duration.seconds(2)
  /// How long they have after SIGTERM. Then they get SIGKILL.
  package var lastGrace = Duration.seconds(1)

  /// Who ends what the ranks have started if this process is killed: their process groups, by rank.
  package var watchdog: Watchdog?

  package init() {}
}
