import ApusEngine
import ApusWire

/// A value that a pool's workers are told of once each, as Python holds it.
final class SharedHandle {
  private let pool: PoolHandle
  private let value: FunctionDefinition

  init(_ pool: PoolHandle, _ bytes: UnsafeRawBufferPointer) {
    self.pool = pool
    value = FunctionDefinition(bytes: copied(bytes), carriesContext: true, strides: nil, isShared: true)
    pool.engine.share(value)
  }

  deinit { pool.engine.unshare(value) }
}

/// Has each worker told of a value, as of a function, before its next task, for as long as what is returned is not given back.
@c(apus_py_pool_share)
public func share(
  _ pool: UnsafeMutableRawPointer, _ bytes: UnsafeRawPointer, _ length: UInt64
) -> UnsafeMutableRawPointer {
  let bytes = UnsafeRawBufferPointer(start: bytes, count: Int(length))
  return handedOut(SharedHandle(borrowed(pool, PoolHandle.self), bytes))
}
