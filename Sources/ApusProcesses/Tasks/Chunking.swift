/// How many tasks go to a worker at a time.
public struct Chunking: Sendable, Hashable {
  enum Value: Hashable { case automatic, fixed(Int) }
  let value: Value

  /// As many as take about 100 µs, by the times measured so far; one at a time to begin with.
  ///
  /// Tasks of 10 ns share the cost of handing them over, tasks of 10 s are spread one by one. Tasks that a
  /// worker has not begun are taken back and given to an idle one.
  public static let automatic = Chunking(value: .automatic)

  /// Always `count`, at least 1: for tasks that share something when they run one after the other.
  public static func fixed(_ count: Int) -> Chunking { Chunking(value: .fixed(count)) }
}

/// In which order results are handed out as they come.
public enum ResultOrder: Sendable, Hashable {
  /// As the inputs: a result waits for those before it.
  case input
  /// As they are done.
  case completion
}
