import ApusSystem
import ApusWire
import Glibc
import TestSupport
import Testing

@Suite(.serialized) struct DoctorTests {
  private func doctor(_ environment: String...) async throws -> ProgramRun {
    let apus = programFolder + "/apus"
    let run = try await runProgram(apus, [apus, "doctor"], environment: environment)
    #expect(!run.timedOut && run.errors == "", "\(run.errors)")
    return run
  }

  @Test func withoutAnyMPI() async throws {
    let run = try await doctor("PATH=/nowhere", "APUS_CPUS=1")
    #expect(run.status == .exited(0), "\(run.output)")
    for title in ["Processors", "Memory", "Kernel ", "MPI", "Coordination"] {
      #expect(run.output.contains("\n\(title)") || run.output.hasPrefix(title), "\(title)")
    }
    #expect(run.output.contains("none in PATH") && run.output.contains("reading a peer's memory"))
  }

  @Test(arguments: MPISetup.present.filter { $0.environment.isEmpty })
  func aLauncherIsTried(setup: MPISetup) async throws {
    let folder = setup.launcher.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    let run = try await doctor("PATH=\(folder)")
    #expect(run.output.contains("two ranks talk through \(setup.version)"), "\(run.output)")
  }

  @Test func aLibraryThatIsNone() async throws {
    let run = try await doctor("PATH=/nowhere", "APUS_MPI_LIBRARY=/etc/passwd")
    #expect(run.status == .exited(1))
    #expect(run.output.contains("! APUS_MPI_LIBRARY"), "\(run.output)")
  }

  // MARK: Coordination

  @Test(arguments: ["127.0.0.1:1", "unix:/no/such/socket", "no address at all:", "@apus-nobody-listens"])
  func aCoordinatorThatIsNotThere(address: String) async throws {
    let run = try await doctor("PATH=/nowhere", "APUS_COORDINATOR=\(address)")
    #expect(run.status == .exited(1))
    #expect(run.output.contains("! APUS_COORDINATOR (\(address))"), "\(run.output)")
  }

  /// Something else listens there, and hangs up.
  @Test func aCoordinatorThatIsSomethingElse() async throws {
    let (listener, port) = try listen()
    try NativeThread.start(name: "other") {
      let connection = OwnedDescriptor(accept(listener.number, nil, nil))
      _ = send(connection.number, "220 mail\r\n", 10, Int32(MSG_NOSIGNAL))
      usleep(100_000)
    }
    let run = try await doctor("PATH=/nowhere", "APUS_COORDINATOR=127.0.0.1:\(port)")
    #expect(
      run.status == .exited(1) && run.output.contains("answers, but not as Redis does: 220 mail"),
      "\(run.output)")
  }

  @Test(.enabled(if: access("/usr/bin/redis-server", X_OK) == 0))
  func aRealRedis() async throws {
    let port = try listen().port
    let server = try Spawner.spawn(
      SpawnRequest(
        path: "/usr/bin/redis-server",
        arguments: [
          "redis-server", "--port", "\(port)", "--save", "", "--dir", "/tmp", "--logfile", "/dev/null",
        ]))
    defer {
      server.signal(SIGKILL)
      _ = server.wait()
    }
    var run = try await doctor("PATH=/usr/bin", "APUS_COORDINATOR=redis://127.0.0.1:\(port)/0")
    for _ in 0..<20 where !run.output.contains("answers") {
      run = try await doctor("PATH=/usr/bin", "APUS_COORDINATOR=redis://127.0.0.1:\(port)/0")
    }
    #expect(
      run.output.contains("(redis://127.0.0.1:\(port)/0)") && run.output.contains("  answers\n"),
      "\(run.output)")
    #expect(run.output.contains("/usr/bin/redis-server"))
  }

  /// A port that is free but for the listener.
  private func listen() throws -> (listener: OwnedDescriptor, port: UInt16) {
    let listener = OwnedDescriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    var address = sockaddr_in()
    (address.sin_family, address.sin_addr.s_addr) = (sa_family_t(AF_INET), UInt32(0x7f00_0001).bigEndian)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener.number, $0, length) != 0 || Glibc.listen(listener.number, 1) != 0
          || getsockname(listener.number, $0, &length) != 0
      }
    }
    try #require(!failed)
    return (listener, UInt16(bigEndian: address.sin_port))
  }
}
