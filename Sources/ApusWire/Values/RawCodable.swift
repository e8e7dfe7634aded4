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
/// It exists since the compiler must be told that the storage of `SIMD2<Scalar>` is as trivial as `Scalar`. Not part of
/// the interface.
@_documentation(visibility: internal)
public protocol _RawScalar: RawCodable, SIMDScalar, Hashable
where
  SIMD2Storage: BitwiseCopyable, SIMD4Storage: BitwiseCopyable, SIMD8Storage: BitwiseCopyable,
  SIMD16Storage: BitwiseCopyable, SIMD32Storage: BitwiseCopyable, SIMD64Storage: BitwiseCopyable
{}

extension Int: _RawScalar {}
extension Int8: _RawScalar {}
extension Int16: _RawScalar {}
extension Int32: _RawScalar {}
extension Int64: _RawScalar {}
extension Int128: RawCodable {}
extension UInt: _RawScalar {}
extension UInt8: _RawScalar {}
extension UInt16: _RawScalar {}
extension UInt32: _RawScalar {}
extension UInt64: _RawScalar {}
extension UInt128: RawCodable {}

#if !(os(macOS) && arch(x86_64))
  extension Float16: _RawScalar {}
#endif
extension Float: _RawScalar {}
extension Double: _RawScalar {}

extension SIMD2: RawCodable where Scalar: _RawScalar {}
extension SIMD3: RawCodable where Scalar: _RawScalar {}
extension SIMD4: RawCodable where Scalar: _RawScalar {}
extension SIMD8: RawCodable where Scalar: _RawScalar {}
extension SIMD16: RawCodable where Scalar: _RawScalar {}
extension SIMD32: RawCodable where Scalar: _RawScalar {}
extension SIMD64: RawCodable where Scalar: _RawScalar {}
