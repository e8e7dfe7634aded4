/// How many threads of a rank may use its communicators.
public struct ThreadLevel: Sendable, Hashable {
  private enum Value: Sendable { case funneled, serialized, multiple }
  private let value: Value

  var isMultiple: Bool { value == .multiple }

  /// One alone, which makes blocking calls; the program sees to it. For a program that has started its MPI library
  /// for no more than this.
  public static let funneled = ThreadLevel(value: .funneled)
  /// One at a time, whichever; the program sees to it. Blocking calls then take no lock.
  public static let serialized = ThreadLevel(value: .serialized)
  /// Several at the same time.
  public static let multiple = ThreadLevel(value: .multiple)
}
