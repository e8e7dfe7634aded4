import Glibc

/// Bytes that are 20 MB or next to nothing, with an index in front.
enum Freight {
  static let large = 20 << 20
  static let small = 32

  /// `count` bytes that begin with `index`; the rest follows from it.
  static func make(_ index: Int, count: Int) -> [UInt8] {
    var bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
      memset(buffer.baseAddress!, Int32(truncatingIfNeeded: index & 0xff), count)
      initialised = count
    }
    withUnsafeBytes(of: index) { for (place, byte) in $0.enumerated() { bytes[place] = byte } }
    return bytes
  }

  static func index(of bytes: [UInt8]) -> Int {
    bytes.withUnsafeBytes { $0.loadUnaligned(as: Int.self) }
  }

  static func isWhole(_ bytes: [UInt8]) -> Bool {
    let index = index(of: bytes)
    return bytes.withUnsafeBytes { all in
      let rest = UnsafeRawBufferPointer(rebasing: all[8...])
      return rest.first == UInt8(index & 0xff)
        && memcmp(rest.baseAddress!, rest.baseAddress! + 1, rest.count - 1) == 0
    }
  }
}

/// Twenty times 1 MB for the coder. Throws half-way if it is told to, when encoded or when decoded.
struct Shipment: Codable, Sendable {
  let index: Int
  let moment: Moment?
  let isLarge: Bool
  /// Whether it is on its way back.
  var isResult = false

  init(_ index: Int, isLarge: Bool, throwing moment: Moment?) {
    (self.index, self.isLarge, self.moment) = (index, isLarge, moment)
  }

  private static let part = [UInt8](repeating: 7, count: 1 << 20)
  private var parts: Int { isLarge ? 20 : 1 }

  private func act(after part: Int, _ argument: Moment, _ result: Moment) throws {
    if part == 10, moment == (isResult ? result : argument) { throw Failure.Sabotage(text: "half-way") }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(index)
    try container.encode(moment?.rawValue ?? "")
    try container.encode(isLarge)
    try container.encode(isResult)
    for number in 0..<parts {
      try act(after: number, .encodeArgument, .encodeResult)
      try container.encode(isLarge ? Self.part : [7])
    }
  }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    index = try container.decode(Int.self)
    moment = Moment(rawValue: try container.decode(String.self))
    isLarge = try container.decode(Bool.self)
    isResult = try container.decode(Bool.self)
    for number in 0..<parts {
      try act(after: number, .decodeArgument, .decodeResult)
      let part = try container.decode([UInt8].self)
      if part.last != 7 { throw Failure.Sabotage(text: "a part is wrong") }
    }
  }
}

/// An error as large as that.
struct LargeError: Error, Codable, CustomStringConvertible {
  let bytes: [UInt8]
  // Or else the text would be five times as long, and take seconds.
  var description: String { "large" }
}
