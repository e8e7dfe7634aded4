import ApusSystem
@testable import ApusMessages
import CApus
import Glibc
import TestSupport
import Testing

extension LaunchTests {
  /// What comes over the socket is checked on both sides.
  @Suite struct DistrustTests {
    enum Lie: CaseIterable {
      case nothing, text, longText, otherRank, otherSize, noMemory, unsealedMemory, descriptorsOfAnotherKind
    }

    /// A rank that meets a launcher which lies, or something else that took its place.
    @Test(arguments: Lie.allCases)
    func aLauncherThatLies(lie: Lie) async throws {
      let name = "apus-test-\(UInt64.random(in: 0 ... .max))"
      let listener = OwnedDescriptor(apus_socket_listen(name))
      try #require(listener.number >= 0)
      try NativeThread.start(name: "liar") {
        var number: Int32 = -1
        while number < 0 {
          number = apus_socket_accept(listener.number)
          usleep(1000)
        }
        let connection = RankConnection(number)
        while case .nothing = connection.receive() { usleep(1000) }
        Self.answer(connection, lie)
      }
      let credential = RankCredential(
        bootstrap: name, rank: 1, size: 2, token: RankCredential.randomHex(digits: 32))
      let run = try await runProgram(ranks, [ranks, "try"], environment: ["APUS_RANK=\(credential.text)"])
      #expect(!run.timedOut && run.status == .exited(0))
      let expected = lie == .nothing ? "has ended" : "is no `apus launch` of this version"
      #expect(run.output.hasPrefix("error: ") && run.output.contains(expected), "\(run.output)")
    }

    private static func answer(_ connection: RankConnection, _ lie: Lie) {
      let memory = OwnedDescriptor(apus_memory_create("test", 4096))
      let welcome = RankMessage.welcome(rank: 1, size: 2, group: 1)
      switch lie {
      case .nothing: break
      case .text: send(connection, Array("apus-rank 2 welcome 1 2".utf8))
      case .longText: send(connection, [UInt8](repeating: 65, count: 100_000))
      case .otherRank: try? connection.send(.welcome(rank: 0, size: 2, group: 1), with: memory)
      case .otherSize: try? connection.send(.welcome(rank: 1, size: 3, group: 1), with: memory)
      case .noMemory: try? connection.send(welcome)
      case .unsealedMemory:
        try? connection.send(welcome, with: OwnedDescriptor(apus_unnamed_file("/nowhere")))
      case .descriptorsOfAnotherKind: try? connection.send(welcome, with: connection.descriptor)
      }
    }

    private static func send(_ connection: RankConnection, _ bytes: [UInt8]) {
      _ = apus_socket_send(connection.descriptor.number, bytes, bytes.count, -1)
    }

    @Test func messagesComeThroughAsTheyWere() {
      let messages: [RankMessage] = [
        .join(rank: 1, size: 2, token: "abc", process: 7), .result, .abort,
        .welcome(rank: 0, size: 4096, group: 17), .taken("by a b c"),
        .refused("x"), .finalized,
      ]
      for message in messages { #expect(RankMessage(message.bytes) == message) }
    }

    @Test func whatIsNoMessageIsNone() {
      for text in [
        "", "apus-rank 2", "apus-rank 2 ", "apus-rank 3 finalized", "apus-rank 2 finalized ",
        "apus-rank 2 join 1 2",
        "apus-rank 2 join +1 2 x 5", "apus-rank 2 join 1 2 x", "apus-rank 2 join 1 2 x y",
        "apus-rank 2 join 1 2 x 5 y", "apus-rank 2 join 9999999999999999999999 2 x 5",
        "apus-rank 2 welcome 1 2 99999999999", "apus-rank 2 welcome 1 2 -1", "finalized", "apus-rank 2 taken",
      ] {
        #expect(RankMessage(Array(text.utf8)) == nil, "\(text)")
      }
      // Messages with a byte changed, or cut: none traps.
      var generator = SystemRandomNumberGenerator()
      let message = RankMessage.welcome(rank: 12, size: 345, group: 6789).bytes
      for _ in 0..<2000 {
        var bytes = message
        bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        _ = RankMessage(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
      }
    }

    /// Another rank's credential is of no use without its token.
    @Test func aTokenThatIsGuessed() async throws {
      let script =
        #"APUS_RANK=$(echo "$APUS_RANK" | sed 's/.\{32\}$/00000000000000000000000000000000/') \#(ranks) try"#
      let run = try await launch("-n", "1", "--", "sh", "-c", script)
      #expect(run.output == "error: this is no rank of the launcher that it came to\n")
    }
  }
}
