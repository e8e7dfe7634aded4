import ApusWire
import Testing

@testable import ApusEngine

@Suite struct SharedValuesTests {
  private func value(_ byte: UInt8) -> SharedValue {
    let bytes = ByteBuffer()
    bytes.append(byte)
    return SharedValue(bytes)
  }

  /// A worker is told of each value once, in their order, and not of one that nobody holds any more.
  @Test func areToldOnceAndInOrder() {
    let values = SharedValues()
    var held = (1...4).map { value($0) } as [SharedValue?]
    for value in held { values.add(value!) }
    held[0] = nil
    held[2] = nil
    var known = 0
    var told: [Int] = []
    while let next = values.next(after: known) {
      known = next.number
      told.append(known)
      #expect(next.definition === held[known - 1]?.definition)
    }
    #expect(told == [2, 4])
    #expect(values.count == 4)

    let last = value(5)
    values.add(last)
    #expect(values.next(after: known)?.number == 5)
    #expect(values.next(after: 5) == nil)
    withExtendedLifetime((last, held)) {}
  }
}
