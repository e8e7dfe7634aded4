// The tasks of the kill scenario: each says when it begins and when it returns.
import Glibc

enum KillBodies {
  /// Plain memory both ways; most take nanoseconds, some long enough to be killed in.
  static func plain(_ task: Int) -> Int {
    Counters.shared.begin(task)
    if task & 255 == 0 {
      Counters.shared.announceBody()
      spin(nanoseconds: 200_000)
    }
    Counters.shared.return(task)
    return value(of: task)
  }

  /// Through the coder both ways.
  static func text(_ task: String) throws -> String {
    guard let task = Int(task) else { throw Failure.Sabotage(text: "no number: \(task)") }
    Counters.shared.begin(task)
    if task & 31 == 0 { Counters.shared.announceBody() }
    spin(nanoseconds: task & 31 == 0 ? 200_000 : 5000)
    Counters.shared.return(task)
    return "the answer to \(task) is \(value(of: task))"
  }

  /// A result of a megabyte or more: long enough under way to be killed in the middle.
  static func large(_ task: Int) -> [UInt8] {
    Counters.shared.begin(task)
    let bytes = Freight.make(task, count: size(of: task))
    Counters.shared.return(task)
    Counters.shared.announceResult()
    return bytes
  }

  static func size(of task: Int) -> Int { (1 << 20) + (task % 97) * 20_000 }
}
