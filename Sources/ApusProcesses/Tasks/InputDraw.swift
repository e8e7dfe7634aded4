import CApus

/// What drawing an input came to.
enum Drawn {
  /// It lies where it was asked for.
  case input
  /// There is none yet; the engine is told when there is.
  case notYet
  case end
}

/// Draws the next input to a place.
///
/// To a place, since a result whose type the library does not know costs look-ups of types for each input.
typealias InputDraw<Input> = (UnsafeMutablePointer<Input>) throws -> Drawn

/// Draws inputs of plain memory to a place, many at a time.
struct PlainDraw<Input> {
  /// So many at least in a batch, once the call has got going: each batch takes the engine's lock.
  let batch: Int
  /// So many at most; fewer at the end, or where they are slow to come.
  let draw: (UnsafeMutablePointer<Input>, Int) -> (count: Int, isEnd: Bool)

  /// Nanoseconds after which what has been drawn goes out: what a chunk should take of a worker's time.
  static var patience: UInt64 { 100_000 }
}

/// Ways to draw the inputs of a call.
enum Drawing {
  /// One by one.
  static func draw<Input>(_ inputs: some Sequence<Input>) -> InputDraw<Input> {
    if let array = inputs as? [Input] { return draw(array: array) }
    var iterator = inputs.makeIterator()
    return { place in
      guard let input = iterator.next() else { return .end }
      place.initialize(to: input)
      return .input
    }
  }

  /// From an array's own storage: its iterator goes through a table of witnesses five times for each element.
  private static func draw<Input>(array: [Input]) -> InputDraw<Input> {
    let elements = ArrayElements(array)
    let (base, count) = (elements.base, array.count)
    var next = 0
    return { place in
      guard next < count else { return .end }
      withExtendedLifetime(elements) { place.initialize(to: base[next]) }
      next += 1
      return .input
    }
  }

  /// Many at a time, in one loop.
  ///
  /// - Parameter limit: How many there are at most, whatever the sequence then has.
  static func drawPlain<Input>(_ inputs: some Sequence<Input>, limit: Int) -> PlainDraw<Input> {
    if let range = inputs as? Range<Int> { return drawPlain(integers: range) }
    if let range = inputs as? ClosedRange<Int>, range.upperBound < .max {
      return drawPlain(integers: Range(range))
    }
    var iterator = inputs.makeIterator()
    var left = limit
    return PlainDraw(batch: 1024) { place, count in
      let (start, most) = (apus_now(), min(count, left))
      var number = 0
      while number < most {
        guard let input = iterator.next() else {
          left = 0
          return (number, true)
        }
        (place + number).initialize(to: input)
        number += 1
        // The clock takes a tenth of the time that an iterator does.
        if number < 8 || number & 7 == 0, apus_now() &- start > PlainDraw<Input>.patience { break }
      }
      left -= number
      return (number, left == 0)
    }
  }

  /// In a loop that the compiler knows: an iterator of any sequence costs 200 ns for each.
  private static func drawPlain<Input>(integers range: Range<Int>) -> PlainDraw<Input> {
    assert(Input.self == Int.self)
    var next = range.lowerBound
    return PlainDraw(batch: 1 << 15) { place, count in
      let integers = UnsafeMutableRawPointer(place).assumingMemoryBound(to: Int.self)
      let number = min(count, range.upperBound - next)
      for offset in 0..<number { integers[offset] = next &+ offset }
      next += number
      return (number, next == range.upperBound)
    }
  }

  /// How many there are, if asking takes no time and runs no code of the elements: to count what a filter lets through,
  /// its predicate would be called once more for each.
  static func knownCount(_ inputs: some Sequence) -> Int? {
    if let collection = inputs as? any RandomAccessCollection { return collection.count }
    return (inputs as? any Counted)?.count
  }
}

/// Collections of the standard library that know how many they are, though their indices are not numbers.
private protocol Counted {
  var count: Int { get }
}

extension Set: Counted {}
extension Dictionary: Counted {}
extension Dictionary.Keys: Counted {}
extension Dictionary.Values: Counted {}
