import ApusSystem
import CApus
import Glibc

/// What became of a job, as a line of JSON: in a log, and among results.
enum JobFacts {
  static func line(_ job: Job, _ command: [ByteString], _ ending: JobEnding) -> String {
    var text =
      "{\"job\":\"\(job.identity.text)\",\"ok\":\(ending.isSuccess),\"number\":\(job.number),\"try\":\(job.tries)"
    text += ",\"slot\":\(ending.slot + 1),\"start\":\(JSONText.seconds(wallTime(ending.started)))"
    text += ",\"seconds\":\(JSONText.seconds(ending.ended - ending.started)),\"exit\":\(ending.exitCode)"
    if case .signalled(let signal, _)? = ending.status { text += ",\"signal\":\(signal)" }
    if let usage = ending.usage {
      text += ",\"user\":\(JSONText.seconds(usage.userTime)),\"system\":\(JSONText.seconds(usage.systemTime))"
      // A child begins with what its parent had, as the kernel counts.
      if usage.peakMemory > ownPeak { text += ",\"memory\":\(usage.peakMemory)" }
    }
    if !ending.isSuccess { text += ",\"why\":\(JSONText.quoted(ByteString(ending.description)))" }
    text += ",\"inputs\":\(json(job.row.fields)),\"command\":\(json(command))}\n"
    return text
  }

  private static var ownPeak: UInt64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return UInt64(usage.ru_maxrss) << 10
  }

  private static func wallTime(_ monotonic: UInt64) -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec) - (apus_now() - monotonic)
  }

  static func json(_ words: [ByteString]) -> String {
    "[" + words.map { JSONText.quoted($0) }.joined(separator: ",") + "]"
  }
}
