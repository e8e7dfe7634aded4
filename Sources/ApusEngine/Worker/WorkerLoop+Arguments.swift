import ApusWire

// Arguments that are streamed through the ring, because they are longer than a record may be.
extension WorkerLoop {
  func beginStream(_ header: TaskHeader) {
    tasks.consume(TaskHeader.size)
    streaming = Int(header.length)
  }

  /// Reads the next bytes of the streamed argument as they arrive.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws {
    guard buffer.count <= streaming else {
      throw WorkerProtocolError("an argument is shorter than it should be")
    }
    var done = 0
    while done < buffer.count {
      let count = min(buffer.count - done, ChannelLimit.piece)
      try waitForTasks(recordSize(count))
      (buffer.baseAddress! + done).copyMemory(from: tasks.place(), byteCount: count)
      tasks.consume(recordSize(count))
      notify()
      done += count
    }
    streaming -= done
  }

  /// Skips what nobody read.
  func endStream() throws {
    while streaming > 0 {
      let count = min(streaming, ChannelLimit.piece)
      try waitForTasks(recordSize(count))
      tasks.consume(recordSize(count))
      notify()
      streaming -= count
    }
  }
}
