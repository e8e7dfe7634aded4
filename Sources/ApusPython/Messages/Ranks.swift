import ApusMessages
public import CApusPython

// Communicators, as Python holds them: given back by `apus_py_release`.

/// All ranks of the job: see `Communicator.world`.
@c(apus_py_world)
public func world(
  _ threads: Int32, _ place: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
  _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    WaitInterruption.isWanted = { apus_py_signals_check() != 0 }
    place.pointee = handedOut(try Communicator.world(threads: threads != 0 ? .multiple : .serialized))
  }
}

/// This process's number among these ranks.
@c(apus_py_rank)
public func rank(_ ranks: UnsafeMutableRawPointer) -> Int64 { Int64(communicator(ranks).rank) }

/// How many there are.
@c(apus_py_size)
public func size(_ ranks: UnsafeMutableRawPointer) -> Int64 { Int64(communicator(ranks).size) }

/// Ends the whole job.
@c(apus_py_abort)
public func abort(_ ranks: UnsafeMutableRawPointer, _ status: Int32) {
  communicator(ranks).abort(status)
}

/// The ranks of one color, by `key`. `place` stays null on a rank without a color.
@c(apus_py_split)
public func split(
  _ ranks: UnsafeMutableRawPointer, _ hasColor: Int32, _ color: Int64, _ key: Int64,
  _ place: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ problem: UnsafeMutablePointer<apus_py_problem>
) -> Int32 {
  calling(problem) {
    let part = try communicator(ranks).split(color: hasColor != 0 ? Int(color) : nil, key: Int(key))
    place.pointee = part.map(handedOut)
  }
}

@inline(__always)
func communicator(_ pointer: UnsafeMutableRawPointer) -> Communicator { borrowed(pointer) }
