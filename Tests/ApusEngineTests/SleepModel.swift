/// A machine of a few threads and a few shared words, small enough that every interleaving can be tried.
///
/// It orders memory as x86-64 does, and as the barrier of membarrier(2) lets both sides rely on elsewhere: a
/// store waits in its thread's own buffer, first in, first out, for as long as it likes, while later loads of
/// the thread go ahead; a fence, an atomic exchange and a system call wait until the buffer is empty.
struct SleepModel {
  typealias Registers = [Int]

  enum Instruction {
    case store(Int, (Registers) -> Int)
    case load(Int, into: Int)
    /// Stores and gives back what was there, in one step.
    case exchange(Int, Int, into: Int)
    case fence
    /// Empties the buffer of every thread: membarrier.
    case barrierAll
    case compute((inout Registers) -> Void)
    case jump(if: (Registers) -> Bool, to: String)
    case label(String)
    /// Sleeps unless the word has another value.
    case futexWait(Int, Int)
    case futexWake(Int)
    /// An eventfd: adds one.
    case ring(Int)
    /// Sleeps until the eventfd is not 0, and makes it 0.
    case waitForRing(Int)
  }

  struct Thread: Hashable {
    var place = 0
    var registers: Registers
    var buffer: [[Int]] = []
    var isAsleepOn: Int?
  }

  struct State: Hashable {
    var words: [Int]
    var threads: [Thread]
  }

  let programs: [[Instruction]]
  let words: Int
  let registers: Int
  /// What must hold when no thread can go on. Returns what is wrong.
  let verdict: (State, _ ended: [Bool]) -> String?

  /// Tries every interleaving, depth first. Returns how many states there are, and the first that is wrong.
  func explore(limit: Int = 2_000_000) -> (states: Int, problem: String?) {
    let start = State(
      words: Array(repeating: 0, count: words),
      threads: programs.map { _ in Thread(registers: Array(repeating: 0, count: registers)) })
    var seen: Set<State> = [start]
    var stack = [start]
    var ends = 0
    while let state = stack.popLast() {
      var goesOn = false
      for thread in programs.indices {
        for next in [flushed(state, thread), stepped(state, thread)] {
          guard let next else { continue }
          goesOn = true
          if seen.insert(next).inserted { stack.append(next) }
        }
      }
      if !goesOn {
        ends += 1
        let ended = programs.indices.map { state.threads[$0].place >= programs[$0].count }
        if let problem = verdict(state, ended) { return (seen.count, problem) }
      }
      if seen.count > limit { return (seen.count, "more than \(limit) states") }
    }
    return (seen.count, ends == 0 ? "it goes round for ever" : nil)
  }

  /// The oldest store of a thread reaches memory.
  private func flushed(_ state: State, _ thread: Int) -> State? {
    guard let first = state.threads[thread].buffer.first else { return nil }
    var next = state
    next.words[first[0]] = first[1]
    next.threads[thread].buffer.removeFirst()
    return next
  }

  /// A thread's next instruction; nil if it has ended or must wait.
  private func stepped(_ state: State, _ index: Int) -> State? {
    let program = programs[index]
    var next = state
    var thread = state.threads[index]
    guard thread.isAsleepOn == nil, thread.place < program.count else { return nil }
    let isEmpty = thread.buffer.isEmpty
    let instruction = program[thread.place]
    thread.place += 1
    switch instruction {
    case .store(let word, let value): thread.buffer.append([word, value(thread.registers)])
    case .load(let word, let register):
      thread.registers[register] = thread.buffer.last { $0[0] == word }?[1] ?? next.words[word]
    case .exchange(let word, let value, let register):
      guard isEmpty else { return nil }
      thread.registers[register] = next.words[word]
      next.words[word] = value
    case .fence: guard isEmpty else { return nil }
    case .barrierAll:
      guard isEmpty else { return nil }
      for other in next.threads.indices {
        for store in next.threads[other].buffer { next.words[store[0]] = store[1] }
        next.threads[other].buffer = []
      }
    case .compute(let body): body(&thread.registers)
    case .jump(let condition, let label):
      if condition(thread.registers) { thread.place = place(of: label, in: program) }
    case .label: break
    case .futexWait(let word, let expected):
      guard isEmpty else { return nil }
      if next.words[word] == expected { thread.isAsleepOn = word }
    case .futexWake(let word):
      guard isEmpty else { return nil }
      for other in next.threads.indices where next.threads[other].isAsleepOn == word {
        next.threads[other].isAsleepOn = nil
      }
    case .ring(let word):
      guard isEmpty else { return nil }
      next.words[word] += 1
    case .waitForRing(let word):
      guard isEmpty, next.words[word] > 0 else { return nil }
      next.words[word] = 0
    }
    next.threads[index] = thread
    return next
  }

  private func place(of label: String, in program: [Instruction]) -> Int {
    program.firstIndex {
      if case .label(label) = $0 { true } else { false }
    }!
  }
}
