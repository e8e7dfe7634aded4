import ApusProcesses
import Testing

extension ProcessPoolTests {
  /// What a program may name with `import ApusProcesses` alone, although it is declared in modules below: this file imports
  /// nothing else of ours.
  @Suite struct ImportTests {
    private struct Point: RawCodable { var x, y: Double }

    @Test func whatIsDeclaredBelowCanBeNamed() throws {
      let event = Event(.warning, from: Event.Source("test"), text: "said")
      #expect(event.kind == .warning && event.text == "said")
      let stream = EventStream()
      let subscription = stream.subscribe { #expect($0.text == "said") }
      stream.publish(event)
      subscription.cancel()
      #expect(Processors.available >= 1)
      #expect(MemoryLayout<Point>.size == 16)
      let function = RemoteFunction { (number: Int) in number + 1 }
      #expect(try withProcessPool(workers: 0) { pool in try pool.run(1, function) } == 2)
    }

    @Test func membersOfWhatIsDeclaredBelowCanBeUsed() throws {
      let error = #expect(throws: TaskError.self) {
        try withProcessPool(workers: 1) { pool in
          try pool.run(0) { (_: Int) -> Int in fatalError("on purpose") }
        }
      }
      #expect(error?.code == .workerDied)
      #expect(error?.status?.isSuccess == false)
    }
  }
}
