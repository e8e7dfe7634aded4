package import Synchronization

/// One word of memory that several threads, or processes, use.
///
/// `Atomic` is a plain 8-byte word in memory, so a pointer to one may point into memory that another
/// process maps as well.
package typealias SharedWord = UnsafeMutablePointer<Atomic<UInt64>>
