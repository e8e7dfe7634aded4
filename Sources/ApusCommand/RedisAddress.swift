/// Where a Redis or Valkey server listens.
enum RedisAddress: Equatable {
  case network(host: String, port: String)
  case file(String)
  /// A socket in Linux's abstract namespace.
  case abstract(String)

  static let usualPort = "6379"

  /// `redis://[user:password@]host[:port][/database]`, `host[:port]`, `[::1]:port`; `unix:path`, a path; `@name`.
  init(_ text: String) throws(CommandProblem) {
    var rest = text[...]
    for scheme in ["redis://", "valkey://", "tcp://"] where rest.hasPrefix(scheme) {
      rest = rest.dropFirst(scheme.count)
    }
    if text.hasPrefix("rediss://") { throw CommandProblem("TLS can't be tried from here") }
    if rest.hasPrefix("unix:") {
      rest = rest.dropFirst(5)
      while rest.hasPrefix("//") { rest = rest.dropFirst() }
    }
    if rest.hasPrefix("/") && !text.hasPrefix("redis:") {
      self = .file(String(rest))
      return
    }
    if rest.hasPrefix("@") {
      self = .abstract(String(rest.dropFirst()))
      return
    }
    rest = rest.prefix { $0 != "/" }
    if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
    var host = rest
    var port = Self.usualPort[...]
    if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
      host = rest[rest.index(after: rest.startIndex)..<end]
      let behind = rest[rest.index(after: end)...]
      if behind.hasPrefix(":") { port = behind.dropFirst() }
    } else if let colon = rest.lastIndex(of: ":"), rest.firstIndex(of: ":") == colon {
      (host, port) = (rest[..<colon], rest[rest.index(after: colon)...])
    }
    guard !host.isEmpty, let number = UInt16(port), number > 0 else {
      throw CommandProblem("this is no address: write host:port, redis://host:port, unix:/path or @name")
    }
    self = .network(host: String(host), port: String(port))
  }
}
