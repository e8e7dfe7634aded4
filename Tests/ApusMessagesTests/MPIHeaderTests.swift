@testable import ApusMessages
import Testing

/// What another rank says of a message over MPI, before memory is allocated for it.
@Suite struct MPIHeaderTests {
  private func header(_ count: UInt64, payloadTag: Int32 = 7, source: Int32 = 1) -> MPIHeader {
    var header = MPIHeader(
      Envelope(context: 0, source: source, tag: 3, type: 1, count: 0), payloadTag: payloadTag)
    header.count = count
    return header
  }

  @Test func whatCanBe() {
    let most = 1 << 34
    for count in [4097, 1 << 20, UInt64(most)] {
      #expect(header(count).canBe(among: 2, mostBytes: most))
    }
    for count in [0, 8, 4096] as [UInt64] {
      #expect(header(count, payloadTag: -1).canBe(among: 2, mostBytes: most))
    }
  }

  @Test(arguments: [UInt64(1 << 34) + 1, 1 << 62, UInt64(Int.max), 1 << 63, .max])
  func aLengthBeyondAllMemory(count: UInt64) {
    #expect(!header(count).canBe(among: 2, mostBytes: 1 << 34))
  }

  @Test func whatCannotBe() {
    #expect(!header(4096).canBe(among: 2, mostBytes: 1 << 34))
    #expect(!header(4097, payloadTag: -1).canBe(among: 2, mostBytes: 1 << 34))
    #expect(!header(8, payloadTag: -1, source: 2).canBe(among: 2, mostBytes: 1 << 34))
    #expect(!header(8, payloadTag: -1, source: -1).canBe(among: 2, mostBytes: 1 << 34))
  }
}
