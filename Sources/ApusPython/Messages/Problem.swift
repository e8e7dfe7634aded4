import ApusMessages
import CApusPython

/// Runs a call of the C interface. 0, or what went wrong.
func calling(_ problem: UnsafeMutablePointer<apus_py_problem>, _ body: () throws -> Void) -> Int32 {
  do {
    try body()
    return 0
  } catch { return tell(error, problem) }
}

/// The same for a call that may have nothing to tell yet.
func asking(_ problem: UnsafeMutablePointer<apus_py_problem>, _ body: () throws -> Bool) -> Int32 {
  do { return try body() ? 0 : APUS_PY_NOT_YET.rawValue } catch { return tell(error, problem) }
}

@inline(never)
private func tell(_ error: any Error, _ problem: UnsafeMutablePointer<apus_py_problem>) -> Int32 {
  let code: APUS_PY_PROBLEM
  var (text, rank) = ("\(error)", Int32(-1))
  switch error {
  case let error as MessageError:
    code = codes[error.code] ?? APUS_PY_OTHER
    text = error.message
    rank = error.rank.map { Int32($0) } ?? -1
    if error.code == .concurrentUse, !text.contains("collective") { text = concurrentUse }
  case is WaitInterrupted: code = APUS_PY_INTERRUPTED
  case is CancellationError:
    code = APUS_PY_CANCELLED_REQUEST
    text = "the receive was cancelled"
  case is Refused: code = APUS_PY_REFUSED
  default: code = APUS_PY_OTHER
  }
  problem.pointee.code = Int32(code.rawValue)
  problem.pointee.rank = rank
  withUnsafeMutableBytes(of: &problem.pointee.text) {
    write(text, to: $0.baseAddress!.assumingMemoryBound(to: CChar.self), UInt64($0.count))
  }
  return Int32(code.rawValue)
}

/// Python gave no place for a message.
struct Refused: Error {}

private let codes: [MessageError.Code: APUS_PY_PROBLEM] = [
  .invalidArgument: APUS_PY_INVALID_ARGUMENT, .typeMismatch: APUS_PY_TYPE_MISMATCH,
  .tooLong: APUS_PY_TOO_LONG, .rankFailed: APUS_PY_RANK_FAILED, .rankEnded: APUS_PY_RANK_ENDED,
  .collectiveFailed: APUS_PY_COLLECTIVE_FAILED, .deadlock: APUS_PY_DEADLOCK, .finalized: APUS_PY_FINALIZED,
  .concurrentUse: APUS_PY_CONCURRENT_USE, .transport: APUS_PY_TRANSPORT,
  .noResources: APUS_PY_NO_RESOURCES, .startUpFailed: APUS_PY_START_UP_FAILED,
]

private let concurrentUse =
  "two threads used the communicators of this rank at the same time; ask for it before: "
  + "apus.mpi.world(threads=True)"

func invalid(_ text: String) -> MessageError { MessageError(.invalidArgument, text) }
