import ApusSystem
import ApusMessages
import Glibc

/// Each rank writes its mark into the memory that they share, and waits for the marks of all.
func meet() {
  let rank = join()
  let size = 4096
  guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, rank.memory.number, 0),
    memory != MAP_FAILED
  else { exit(6) }
  // The rest of the first page is free.
  let start = 2048
  memory.storeBytes(of: UInt8(rank.rank + 1), toByteOffset: start + rank.rank, as: UInt8.self)
  for other in 0..<rank.size {
    while memory.load(fromByteOffset: start + other, as: UInt8.self) != UInt8(other + 1) { usleep(100) }
  }
  print("rank \(rank.rank) met all \(rank.size)")
  rank.finalized()
}
