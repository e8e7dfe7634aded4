import ApusSystem
import Apus
import Glibc
import Testing

extension ProcessPoolTests {
  /// What of the program is the same in its workers.
  @Suite struct IdentityTests {
    /// Also where they are no UTF-8.
    @Test func argumentsAndEnvironmentAreTheProgramsOwn() async throws {
      let program = programFolder + "/PoolScenarios"
      let script = """
        export APUS_TEST_LATIN=$(printf 'caf\\351')
        exec "$0" identity "a b" "" --apus-worker "$(printf 'na\\357ve')" --last
        """
      let run = try await runProgram("/bin/sh", ["sh", "-c", script, program])
      let expected = "PoolScenarios|identity|a b||--apus-worker|na\\357ve|--last|caf\\351|PoolScenarios"
      // The program itself, a worker, a worker of a worker.
      #expect(run.output == "\(expected)\n\(expected)\n\(expected)\n", "\(run)")
      #expect(run.status == .exited(0))
    }
  }
}
