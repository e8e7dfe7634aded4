package import ApusSystem
import Glibc

extension MemoryGroup {
  /// Whether one can be made here.
  package static var isPossible: Bool { places().contains { access($0.path, W_OK) == 0 } }

  /// The names of those that this process has made and that are still there.
  package static var ownNames: [String] {
    places().flatMap { names(in: $0.path) }.filter { $0.hasPrefix("apus-\(getpid())-") }
  }
}
