// A message of the binary coder:
//
//     value  keys  UInt32: the length of keys
//
// keys    the coding keys of the message, each once: length (varint), UTF-8
// value   a tag byte and what the tag asks for, below
// entry   in a keyed container: the key's number (varint), value
//
// The keys stand at the end, since the encoder knows them only then, and all in one place, so that a value can
// be skipped without looking for keys in it. Containers know their length in bytes for the same reason. There
// is no version number: both sides are the same program. Numbers are little-endian.

/// The first byte of a value. A byte of 0x80 and more is the integer 0…127, one of 0x40…0x7F a string of 0…63
/// bytes, which follow.
enum WireTag: UInt8 {
  case null = 0
  case `false` = 1
  case `true` = 2
  /// 4 bytes.
  case float = 3
  /// 8 bytes.
  case double = 4
  /// Length (varint), UTF-8.
  case string = 5
  /// The memory of one `RawCodable` value: length (varint), bytes.
  case raw = 6
  /// Element code (1 byte), stride (varint), length in bytes (varint), bytes.
  case rawArray = 7
  /// Length in bytes (UInt32), entries.
  case keyed = 8
  /// Length in bytes (UInt32), values.
  case unkeyed = 9
  /// As `keyed`, with a UInt64.
  case longKeyed = 10
  /// As `unkeyed`, with a UInt64.
  case longUnkeyed = 11
  /// A value whose `encode(to:)` wrote nothing.
  case empty = 12
  /// A value follows, which may be nil: the outer optional of an `Int??`.
  case present = 13
  /// An integer v ≥ 0 of 16 bytes.
  case wide = 14
  /// An integer v < 0 as ~v, 16 bytes.
  case wideNegative = 15
  // 0x10…0x17: an integer v ≥ 0 of 1…8 bytes. 0x18…0x1F: an integer v < 0 as ~v, 1…8 bytes.

  static let integer: UInt8 = 0x10
  static let negative: UInt8 = 0x18
  static let shortString: UInt8 = 0x40
  static let smallInteger: UInt8 = 0x80

  /// Values may be nested this deep, in either direction: it ends a value that refers to itself, and keeps
  /// hostile bytes from overflowing the stack. A level takes some 1.2 KiB of stack in release and 2.5 KiB in
  /// debug, so a thread that codes values wants a stack of 2 MiB; Linux gives 8 MiB by default.
  static let depthLimit = 512
}
