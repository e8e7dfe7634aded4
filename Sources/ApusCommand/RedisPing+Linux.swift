import ApusSystem
import Glibc

/// Asks a server whether it is one: PING in Redis's protocol, and PONG back.
enum RedisPing {
  private static let milliseconds: Int32 = 2000

  /// What answered. Throws what is wrong, in words.
  static func ping(_ address: RedisAddress) throws -> String {
    let connection = try connect(address)
    let question = Array("*1\r\n$4\r\nPING\r\n".utf8)
    guard send(connection.number, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else {
      throw CommandProblem(String(cString: strerror(errno)))
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 512)
    while !answer.contains(UInt8(ascii: "\n")), answer.count < 4096 {
      try wait(connection, POLLIN)
      let count = recv(connection.number, &chunk, chunk.count, 0)
      if count <= 0 { break }
      answer += chunk[..<count]
    }
    let line = String(
      decoding: answer.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    if line == "+PONG" { return "answers" }
    if line.hasPrefix("-NOAUTH") { return "answers, and wants a password" }
    throw CommandProblem(
      line.isEmpty ? "hung up without an answer" : "answers, but not as Redis does: \(line.prefix(80))")
  }

  private static func connect(_ address: RedisAddress) throws -> OwnedDescriptor {
    switch address {
    case .file(let path): return try connectUnix(Array(path.utf8), isAbstract: false)
    case .abstract(let name): return try connectUnix(Array(name.utf8), isAbstract: true)
    case .network(let host, let port):
      var hints = addrinfo()
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
      var list: UnsafeMutablePointer<addrinfo>?
      let failed = getaddrinfo(host, port, &hints, &list)
      guard failed == 0 else { throw CommandProblem("\(host): \(String(cString: gai_strerror(failed)))") }
      defer { freeaddrinfo(list) }
      var problem: any Error = CommandProblem("\(host) has no address")
      var next = list
      while let entry = next?.pointee {
        next = entry.ai_next
        do { return try connect(entry.ai_family, entry.ai_addr, entry.ai_addrlen) } catch { problem = error }
      }
      throw problem
    }
  }

  private static func connectUnix(_ name: [UInt8], isAbstract: Bool) throws -> OwnedDescriptor {
    var address = sockaddr_un()
    let room = MemoryLayout.size(ofValue: address.sun_path) - 1
    guard 1...room ~= name.count else { throw CommandProblem("a socket's name has 1 to \(room) bytes") }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0[(isAbstract ? 1 : 0)...].copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count + 1)
    return try withUnsafePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try connect(AF_UNIX, $0, length) }
    }
  }

  private static func connect(
    _ family: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
  ) throws -> OwnedDescriptor {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let connection = OwnedDescriptor(socket(family, kind, 0))
    guard connection.number >= 0 else { throw CommandProblem(String(cString: strerror(errno))) }
    if Glibc.connect(connection.number, address, length) != 0 {
      guard errno == EINPROGRESS || errno == EINTR else {
        throw CommandProblem(String(cString: strerror(errno)))
      }
      try wait(connection, POLLOUT)
      var error: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(connection.number, SOL_SOCKET, SO_ERROR, &error, &size)
      if error != 0 { throw CommandProblem(String(cString: strerror(error))) }
    }
    return connection
  }

  private static func wait(_ connection: OwnedDescriptor, _ events: Int32) throws {
    var waiting = pollfd(fd: connection.number, events: Int16(events), revents: 0)
    let end = ContinuousClock.now + .milliseconds(Int(milliseconds))
    while poll(&waiting, 1, milliseconds) <= 0 {
      guard errno == EINTR, ContinuousClock.now < end else {
        throw CommandProblem("no answer in \(milliseconds / 1000) s")
      }
    }
  }
}
