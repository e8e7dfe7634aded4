import ApusSystem

/// A short run of another program, and what it printed.
struct CapturedProgram {
  let output: String
  /// Nil if it had to be ended.
  let status: ExitStatus?

  /// What comes after that is dropped.
  private static let longestOutput = 1 << 20

  /// Both streams of the program come together; it has nothing to read. What it leaves behind is ended.
  ///
  /// - Throws: `ProcessError` if it can't be started.
  static func run(
    _ path: String, _ arguments: [String], environment: [ByteString] = SpawnRequest.ownEnvironment,
    seconds: UInt64 = 10
  ) throws(ProcessError) -> CapturedProgram {
    let nothing = try OwnedDescriptor.nothing()
    var order = ProgramOrder(
      SpawnRequest(
        path: path, arguments: [path] + arguments, environment: environment,
        descriptors: [(nothing.number, 0)]))
    let bytes = Locked([UInt8]())
    let relay = { (source: OwnedDescriptor) throws(ProcessError) in
      try LineRelay(source: source, target: nil) { lines in
        bytes.withLock { if $0.count < longestOutput { $0 += lines } }
      }
    }
    (order.output, order.errors) = (relay, relay)
    (order.timeLimit, order.grace, order.background) = (seconds * 1_000_000_000, 0, .ends)
    let reactor = try Reactor()
    var isOver = false
    let program = try withExtendedLifetime(nothing) { () throws(ProcessError) in
      try SupervisedProgram.start(order, on: reactor, staysInThread: false) { _ in isOver = true }
    }
    while !isOver { reactor.turn() }
    return CapturedProgram(
      output: bytes.withLock { String(decoding: $0, as: UTF8.self) },
      status: program.reason == nil ? program.status : nil)
  }
}
