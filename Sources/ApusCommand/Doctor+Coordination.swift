import ApusMessages
import Glibc

extension Doctor {
  private static let variable = "APUS_COORDINATOR"

  /// Whether there is a Redis or Valkey, here or where the variable says.
  static func coordination() -> Finding.Section {
    var section = Finding.Section("Coordination")
    for name in ["redis-server", "valkey-server"] {
      guard let path = try? ProgramSearch.find(name) else { continue }
      let said = (try? CapturedProgram.run(path, ["--version"]).output) ?? ""
      let version =
        said.split(separator: " ").first { $0.hasPrefix("v=") }.map { " \($0.dropFirst(2))" } ?? ""
      section.add(path, name + version)
    }
    let named = getenv(variable).map { String(cString: $0) } ?? ""
    let text = named.isEmpty ? "127.0.0.1:6379" : named
    let place = named.isEmpty ? text : "\(variable) (\(text))"
    do {
      section.add(place, try RedisPing.ping(RedisAddress(text)))
    } catch {
      if named.isEmpty {
        section.add(place, "no Redis or Valkey: \(error); none is needed")
      } else {
        section.add(
          place, "\(error)", .broken,
          cure: "start a server there (redis-server --port \(RedisAddress.usualPort)), or unset \(variable)")
      }
    }
    return section
  }
}
