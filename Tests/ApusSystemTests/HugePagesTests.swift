import Testing

@testable import ApusSystem

@Suite struct HugePagesTests {
  private func entry(_ head: String, resident: Int, huge: Int) -> String {
    "\(head)\nSize: 1 kB\nRss:     \(resident) kB\nAnonymous: 0 kB\nAnonHugePages:   \(huge) kB\nVmFlags: rd wr mr mw me ac\n"
  }

  @Test func onlyOwnMemoryThatIsFullAndInSmallPagesIsMeant() {
    let mebibyte = 1024
    let smaps =
      entry("00400000-10400000 rw-p 00000000 fe:00 1234    /usr/bin/program", resident: 256 * mebibyte, huge: 0)
      + entry("20100000-20e00000 rw-p 00000000 00:00 0    [heap]", resident: 13 * mebibyte, huge: 0)
      + entry("30000000-40000000 rw-p 00000000 00:00 0", resident: 240 * mebibyte, huge: 0)
      + entry("50000000-60000000 rw-p 00000000 00:00 0", resident: 200 * mebibyte, huge: 0)
      + entry("70000000-80000000 rw-p 00000000 00:00 0", resident: 256 * mebibyte, huge: 254 * mebibyte)
      + entry("80000000-80100000 rw-p 00000000 00:00 0", resident: mebibyte, huge: 0)
      + entry("801f0000-80310000 rw-p 00000000 00:00 0", resident: mebibyte, huge: 0)
      + entry("90000000-a0000000 r--p 00000000 00:00 0", resident: 256 * mebibyte, huge: 0)
      + entry("b0000000-c0000000 rw-s 00000000 00:00 0", resident: 256 * mebibyte, huge: 0)
      + entry("d0000000-e0000000 rw-p 00000000 00:00 0    [stack]", resident: 256 * mebibyte, huge: 0)
    #expect(HugePages.full(smaps) == [0x2020_0000..<0x20e0_0000, 0x3000_0000..<0x4000_0000])
    #expect(HugePages.full("") == [])
    #expect(HugePages.full("no-such rw-p 0 0 0\nRss:\nRss: many kB\nAnonHugePages: 0 kB\n") == [])
  }
}
