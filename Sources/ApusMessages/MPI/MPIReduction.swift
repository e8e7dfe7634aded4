import CApus

/// A standard operation on a type of number, as MPI knows them.
package struct MPIReduction: Sendable {
  /// One of C's APUS_MPI_ types.
  let type: Int32
  /// One of C's APUS_MPI_ operators.
  let operation: Int32
  /// Whether the libraries do it as we promise. Open MPI 4 and 5 saturate sums of 8 and 16 bits, and MPICH 4 and 5
  /// compare unsigned integers as signed ones.
  let isExact: Bool
  private let stride: Int

  /// Of C's operators, by their numbers.
  static let names = [
    "sum", "product", "min", "max", "logicalAnd", "logicalOr", "logicalXor", "bitwiseAnd", "bitwiseOr",
    "bitwiseXor",
  ]

  package init<T: MPINumber>(_ operation: StandardOperation, _ type: T.Type) {
    (self.type, self.operation, stride) = (T.mpiType, operation.mpiOperator, MemoryLayout<T>.stride)
    isExact =
      switch operation {
      case .sum: stride > 2
      case .min, .max: !(T.self is any UnsignedInteger.Type)
      default: true
      }
  }

  func count(_ bytes: Int) -> Int64 { Int64(bytes / stride) }
}

/// A type of number that MPI can reduce.
package protocol MPINumber: BitwiseCopyable, SendableMetatype {
  /// One of C's APUS_MPI_ types.
  static var mpiType: Int32 { get }
}

extension Int8: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_INT8) } }
extension Int16: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_INT16) } }
extension Int32: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_INT32) } }
extension Int64: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_INT64) } }
extension Int: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_INT64) } }
extension UInt8: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_UINT8) } }
extension UInt16: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_UINT16) } }
extension UInt32: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_UINT32) } }
extension UInt64: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_UINT64) } }
extension UInt: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_UINT64) } }
extension Float: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_FLOAT) } }
extension Double: MPINumber { package static var mpiType: Int32 { Int32(APUS_MPI_DOUBLE) } }

extension StandardOperation {
  var mpiOperator: Int32 {
    switch self {
    case .sum: Int32(APUS_MPI_SUM)
    case .product: Int32(APUS_MPI_PROD)
    case .min: Int32(APUS_MPI_MIN)
    case .max: Int32(APUS_MPI_MAX)
    case .logicalAnd: Int32(APUS_MPI_LAND)
    case .logicalOr: Int32(APUS_MPI_LOR)
    case .logicalXor: Int32(APUS_MPI_LXOR)
    case .bitwiseAnd: Int32(APUS_MPI_BAND)
    case .bitwiseOr: Int32(APUS_MPI_BOR)
    case .bitwiseXor: Int32(APUS_MPI_BXOR)
    }
  }
}
