/// Which collective operation a rank calls. The number is the tag of its messages.
enum CollectiveCall: Int32, Codable, CaseIterable {
  case barrier = 1, broadcast, scatter, gather, allGather, allToAll, reduce, allReduce, reduceScatter, scan
  case exclusiveScan, split, duplicate, agreement
}
