/// A `Codable` type whose memory is its encoding.
///
/// Values of such a type, and arrays of them, travel between processes and ranks as one copy of their memory,
/// without the machinery of `Codable`. The standard integers, floating-point numbers and SIMD vectors conform.
/// Conform a struct of your own that consists of such fields:
///
/// ```swift
/// struct Particle: RawCodable { var x, y, z: Double }
/// ```
///
/// **Every bit pattern must be a valid value.** The bytes may come from a worker that is just dying, so they
/// are not trusted. A `Bool`, an optional, an enumeration or a pointer has patterns that are not values, and
/// reading one is undefined behaviour; a type that contains any of them must not conform.
///
/// `encode(to:)` and `init(from:)` are not called, even where the type writes its own. Both sides must agree
/// on the layout, which the same program on the same kind of machine does.
public protocol RawCodable: Codable, BitwiseCopyable, Sendable {}

/// A `RawCodable` number of which SIMD vectors are made: such vectors are `RawCodable` too.
///
/// It exists since the compiler must be told that the storage of `SIMD2<Scalar>` is as trivial as `Scalar`.
public protocol RawScalar: RawCodable, SIMDScalar, Hashable
where
  SIMD2Storage: BitwiseCopyable, SIMD4Storage: BitwiseCopyable, SIMD8Storage: BitwiseCopyable,
  SIMD16Storage: BitwiseCopyable, SIMD32Storage: BitwiseCopyable, SIMD64Storage: BitwiseCopyable
{}

extension Int: RawScalar {}
extension Int8: RawScalar {}
extension Int16: RawScalar {}
extension Int32: RawScalar {}
extension Int64: RawScalar {}
extension Int128: RawCodable {}
extension UInt: RawScalar {}
extension UInt8: RawScalar {}
extension UInt16: RawScalar {}
extension UInt32: RawScalar {}
extension UInt64: RawScalar {}
extension UInt128: RawCodable {}

#if !(os(macOS) && arch(x86_64))
  extension Float16: RawScalar {}
#endif
extension Float: RawScalar {}
extension Double: RawScalar {}

extension SIMD2: RawCodable where Scalar: RawScalar {}
extension SIMD3: RawCodable where Scalar: RawScalar {}
extension SIMD4: RawCodable where Scalar: RawScalar {}
extension SIMD8: RawCodable where Scalar: RawScalar {}
extension SIMD16: RawCodable where Scalar: RawScalar {}
extension SIMD32: RawCodable where Scalar: RawScalar {}
extension SIMD64: RawCodable where Scalar: RawScalar {}
