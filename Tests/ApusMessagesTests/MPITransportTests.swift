import ApusSystem
import TestSupport
import Testing

/// Apus's own communicator over each MPI that is installed: what no other transport has.
@Suite(.serialized)
struct MPITransportTests {
  /// Tags beyond the library's, counts beyond its functions', its own handles.
  @Test(arguments: MPISetup.present, [1, 2, 3])
  func theCommunicatorGoesAsFarOnEveryLibrary(_ setup: MPISetup, ranks: Int) async throws {
    let job = try await setup.run(ranks: ranks, "communicator")
    #expect(job.status == .exited(0) && job.output.contains("ok: "), "\(job.output)")
  }

  @Test(arguments: MPISetup.present)
  func theThreadLevelOfTheLibraryIsObeyed(_ setup: MPISetup) async throws {
    let job = try await setup.run(ranks: 2, "threads")
    #expect(job.status == .exited(0) && job.output.contains("ok: "), "\(job.output)")
  }

  @Test(arguments: MPISetup.present)
  func aCallAfterTheEndIsAnError(_ setup: MPISetup) async throws {
    let job = try await setup.run(ranks: 2, "after")
    #expect(job.status == .exited(0), "\(job.output)")
    #expect(job.output.split(separator: "\n").count { $0 == "all calls after the end are errors" } == 2)
  }

  /// MPI can't be finished then, and without that the others would wait for this rank for ever.
  @Test(arguments: MPISetup.present)
  func anEndInTheMiddleOfACallEndsTheJob(_ setup: MPISetup) async throws {
    let job = try await setup.run(ranks: 2, "inside")
    #expect(job.status != .exited(0) && job.status != .exited(124), "\(job.output)")
    #expect(job.output.contains("rank 0 can't end its part in good order"), "\(job.output)")
  }
}
