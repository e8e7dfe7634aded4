import CApus
import Glibc

extension Processors {
  static func environmentCap() -> Int? {
    getenv(environmentName).flatMap { cap(from: String(cString: $0)) }
  }

  package static func allowedByAffinity() -> Int {
    let allowed = Int(apus_allowed_processors())
    if allowed > 0 { return allowed }
    return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  }
}
