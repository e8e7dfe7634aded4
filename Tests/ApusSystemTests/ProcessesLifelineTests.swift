import ApusSystem
import Glibc
import Testing

@Suite("Lifelines")
struct ProcessesLifelineTests {
  @Test("messages come through whole, and the process exits at the end-of-file")
  func messages() async throws {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardOutputContent]) {
      let (ours, theirs) = try OwnedDescriptor.socketPair()
      try Lifeline.watch(socket: theirs.number) { message in
        print("got", message.count)
        fflush(nil)
      }
      for size in [1, 3, 100_000] {
        let bytes = [UInt8](repeating: 7, count: size)
        #expect(send(ours.number, bytes, size, 0) == size)
      }
      ours.close()
      while true { pause() }
    }
    let text = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    #expect(text.contains("got 1\ngot 3\ngot 100000\n"))
  }

  @Test("the leader of a group takes it along")
  func group() async throws {
    let result = await #expect(
      processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]
    ) {
      setpgid(0, 0)
      let (ours, theirs) = try OwnedDescriptor.socketPair()
      var request = shell("exec sleep 100")
      (request.newProcessGroup, request.diesWithParent) = (false, false)
      let child = try Spawner.spawn(request)
      print("child \(child.pid)")
      fflush(nil)
      try Lifeline.watch(socket: theirs.number) { _ in }
      ours.close()
      while true { pause() }
    }
    let text = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("child ") })
    #expect(isGone(try #require(Int32(line.dropFirst(6)))))
  }
}
