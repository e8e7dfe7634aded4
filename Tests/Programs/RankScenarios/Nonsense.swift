import ApusMessages
import CApus
import Glibc

/// Says to the launcher what no rank says, on connections of its own; then joins as if nothing had happened.
func nonsense() {
  let credential = getenv(RankCredential.variable).map { String(cString: $0) }!
  let name = String(credential.prefix { $0 != ":" })
  let said = [
    [], [0xff, 0xfe], Array("apus-rank 2 join 0 1".utf8), Array("apus-rank 2 join 0 1 0 5".utf8),
    Array("apus-rank 2 join 99999999 1 0123456789abcdef0123456789abcdef 5".utf8),
    Array("apus-rank 2 finalized".utf8), [UInt8](repeating: 65, count: 100_000),
  ]
  for bytes in said {
    let connection = apus_socket_connect(name)
    guard connection >= 0 else { exit(6) }
    _ = apus_socket_send(connection, bytes, bytes.count, 1)
    // The answer, or the end: for the empty message that is none.
    var answer = [UInt8](repeating: 0, count: 2000)
    var handed: Int32 = -1
    let count = apus_socket_receive(connection, &answer, answer.count, &handed)
    if count > 0, String(decoding: answer.prefix(count), as: UTF8.self).contains("welcome") { exit(6) }
    close(connection)
  }
  // Many that say nothing.
  let silent = (0..<100).map { _ in apus_socket_connect(name) }
  let rank = join()
  print("rank \(rank.rank) of \(rank.size) after \(silent.count)")
  rank.finalized()
}
