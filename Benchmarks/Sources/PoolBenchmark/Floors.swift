import Glibc

// What the machine does without a pool.

/// The same call per element, in a loop on one thread, into a new array each time.
func sequentialLoop(count: Int) -> Figure {
  let inputs = Array(0..<count)
  let time = medianSeconds(repetitions: 5) {
    [Int](unsafeUninitializedCapacity: count) { output, initialized in
      run(inputs, 0..<count, into: output)
      initialized = count
    }
  }
  return Figure(seconds: time, count: count)
}

/// The same on several threads, each with its share of the elements.
func threadedLoop(threads: Int, count: Int) -> Figure {
  let inputs = Array(0..<count)
  let time = medianSeconds(repetitions: 5) {
    [Int](unsafeUninitializedCapacity: count) { output, initialized in
      let running = (0..<threads).map { index in
        let share = count * index / threads..<count * (index + 1) / threads
        return startThread(Share(inputs: inputs, range: share, output: output))
      }
      for thread in running { pthread_join(thread, nil) }
      initialized = count
    }
  }
  return Figure(seconds: time, count: count)
}

@inline(never)
private func run(
  _ inputs: [Int], _ range: Range<Int>, into output: UnsafeMutableBufferPointer<Int>
) {
  for index in range { output.initializeElement(at: index, to: noop(inputs[index])) }
}

private final class Share {
  let inputs: [Int]
  let range: Range<Int>
  let output: UnsafeMutableBufferPointer<Int>

  init(inputs: [Int], range: Range<Int>, output: UnsafeMutableBufferPointer<Int>) {
    self.inputs = inputs
    self.range = range
    self.output = output
  }
}

private func startThread(_ share: Share) -> pthread_t {
  var thread = pthread_t()
  let status = pthread_create(
    &thread, nil,
    { context in
      let share = Unmanaged<Share>.fromOpaque(context!).takeRetainedValue()
      run(share.inputs, share.range, into: share.output)
      return nil
    }, Unmanaged.passRetained(share).toOpaque())
  require(status == 0, "no thread: error \(status)")
  return thread
}

/// One copy between two buffers whose pages are there already; `count` is bytes copied.
func memoryCopy(mebibytes: Int) -> Figure {
  let bytes = mebibytes << 20
  let source = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
  let target = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
  defer {
    source.deallocate()
    target.deallocate()
  }
  memset(source, 1, bytes)
  let time = medianSeconds { memcpy(target, source, bytes) }
  require(memcmp(target, source, bytes) == 0, "the copy differs")
  return Figure(seconds: time, count: bytes)
}
