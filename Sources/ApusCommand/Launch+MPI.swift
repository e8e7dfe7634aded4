import ApusSystem
import ApusMessages
import Glibc

extension Launch {
  /// Becomes the launcher of an MPI library, so that signals, the terminal and the exit status are its own.
  func becomeMPILauncher(_ wanted: String, ranks: Int) throws -> Never {
    let starter = try MPIStarter.find(wanted)
    try checkLibrary(starter)
    let program = try programRequest()
    let settings = MPISettings(starter, ranks: ranks)
    let arguments =
      ([starter.path, "-n", "\(ranks)"] + settings.options).map { ByteString($0) } + mpiOptionsAsTheyCame
      + [program.path] + program.arguments.dropFirst()
    if !settings.options.isEmpty {
      complain(
        "\(starter.path) (\(starter.version)) gets \(settings.options.joined(separator: " ")) "
          + "(\(settings.reasons.joined(separator: ", ")))")
    }
    let own = [RankCredential.variable + "=", Processors.environmentName + "="]
    var environment = SpawnRequest.ownEnvironment.filter { entry in !own.contains { entry.hasPrefix($0) } }
    environment.append("\(Processors.environmentName)=\(max(1, Processors.available / ranks))")
    throw replaceProcess(starter.path, arguments, environment)
  }

  /// A library that was named and that this launcher does not serve would make of n ranks n worlds of one.
  private func checkLibrary(_ starter: MPIStarter) throws {
    guard getenv(MPIFinder.variable).map({ $0.pointee != 0 }) == true else { return }
    let found = try MPILibraryProbe.ofVariable()
    guard !starter.serves(found.make) else { return }
    throw CommandProblem(
      "\(starter.path) is \(starter.version)'s, and \(MPIFinder.variable) names \(found.path) (\(found.version)): "
        + "they don't fit, and each rank would be alone. Unset the variable, or use the library's own launcher "
        + "(--mpi=PATH)")
  }

  /// What to throw, if there is something to throw.
  private func replaceProcess(_ path: String, _ arguments: [ByteString], _ environment: [ByteString])
    -> any Error
  {
    guard let arguments = CStringArray(arguments), let environment = CStringArray(environment) else {
      return ProcessError(errno: EINVAL, doing: "starting \(path), whose arguments hold a NUL")
    }
    execve(path, arguments.pointers, environment.pointers)
    return ProcessError(errno: errno, doing: "starting \(path)", isOfProgram: true)
  }
}

extension MPIStarter {
  func serves(_ make: MPILibrary.Make) -> Bool { MPILauncher(kind: kind, rank: nil, size: nil).serves(make) }
}
