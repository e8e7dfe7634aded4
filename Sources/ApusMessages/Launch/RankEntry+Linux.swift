import ApusSystem
import ApusWire
import CApus
import Dispatch
import Glibc

/// What a run of the program does in place of `main` when `withRanks` started it as a rank.
@c(apus_rank_main)
public func _apusRankMain(
  _ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  do { try RankEntry.run() } catch { endProcess(error, as: "rank") }
}

/// The life of a rank of `withRanks`: join, run the body, say what came of it, exit.
enum RankEntry {
  static func run() throws -> Never {
    let definition = try RankParcel(OwnedDescriptor(Int32(APUS_RANK_FUNCTION)))
    guard let rank = try JoinedRank.join() else {
      throw LaunchError(.badCredential, "this run of the program is to be a rank, and has no credential")
    }
    // Not SIGKILL: that would end this process before its lifeline has ended what it started. SIGCONT lets
    // the lifeline of even a stopped process run, which ends both.
    apus_set_parent_death_signal(SIGCONT)
    let world: Communicator
    let call: RankCall
    do {
      world = try Communicator.world()
      call = try definition.withBytes { try RankCall.make($0) }
    } catch {
      end(rank, .failure(error as? FailureReport ?? FailureReport(.function, error)))
    }
    switch call {
    case .blocking(let body): end(rank, Result { try body(world) })
    case .suspending(let body):
      let work = Handover { end(rank, await outcome { try await body(world) }) }
      Task.detached {
        // Dispatch blocks most signals on its threads, and what the body starts would inherit that. (It still does after an
        // `await` that changes threads.)
        NativeThread.openSignals()
        await work.body()
      }
      // The main thread is Dispatch's from here on, since the body may need the main actor.
      dispatchMain()
    }
  }

  private struct Handover: @unchecked Sendable {
    // Sound: the task is the only one who uses what it holds.
    let body: () async -> Never
  }

  private static func outcome(_ body: () async throws -> ByteBuffer) async -> Result<ByteBuffer, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  /// A body that threw is a failure of the rank: its peers may wait for it, and hear of it by the status.
  private static func end(_ rank: JoinedRank, _ result: Result<ByteBuffer, any Error>) -> Never {
    guard rank.isThisProcess else {
      endProcess(
        LaunchError(
          .refused,
          "process \(getpid()) was forked by a rank's body and came back from it: it ends here, and what it returned "
            + "is dropped. End such a child with `_exit`."), as: "child")
    }
    apus_stdout_flush()
    do {
      switch result {
      case .success(let bytes):
        try rank.give(.value, bytes.bytes)
        exit(0)
      case .failure(let error):
        let bytes = ByteBuffer(capacity: 256)
        (error as? FailureReport ?? FailureReport(.call, error)).append(to: bytes)
        try rank.give(.failure, bytes.bytes)
        exit(1)
      }
    } catch {
      endProcess(error, as: "rank")
    }
  }
}
