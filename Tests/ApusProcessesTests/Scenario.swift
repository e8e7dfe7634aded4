@_exported import TestSupport

/// Runs a scenario of Tests/Programs/PoolScenarios to its end; kills it after `seconds`, which is for ever.
func runScenario(
  _ name: String, arguments: [String] = [], environment: [String] = [], input: String = "",
  seconds: Int = hung
) async throws -> ProgramRun {
  let program = programFolder + "/PoolScenarios"
  return try await runProgram(
    program, [program, name] + arguments, environment: environment, input: input, seconds: seconds)
}
