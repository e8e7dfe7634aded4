/// The usual operators of reductions.
package enum StandardOperation: Sendable {
  case sum, product, min, max, bitwiseAnd, bitwiseOr, bitwiseXor, logicalAnd, logicalOr, logicalXor
}
