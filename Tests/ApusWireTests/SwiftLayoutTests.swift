import ApusWire
import Testing

/// What Apus relies on and no compiler promises. Where one of these fails, the code that relies on it has to change.
@Suite struct SwiftLayoutTests {
  @Test func thisCompilerLaysOutValuesAsExpected() {
    #expect(SwiftLayout.problem() == nil)
    #expect(FunctionLayout.problem() == nil)
  }

  /// A compiler that had another string.
  @Test func anotherStringIsNoticed() {
    let others: [(StringBits) -> StringBits] = [
      { StringBits(low: $0.high, high: $0.low) },
      { StringBits(low: $0.low.byteSwapped, high: $0.high) },
      { StringBits(low: $0.low, high: $0.high ^ 1 << 61) },
      { StringBits(low: $0.low, high: $0.high | 1 << 62) },
      { StringBits(low: $0.low, high: $0.high | 1 << 63) },
    ]
    for (number, other) in others.enumerated() {
      #expect(SwiftLayout.problem { other(StringBits($0)) } == "String", "\(number)")
    }
  }
}
