import ApusSystem

/// Whose output is shown next: of jobs that are over, in the order of their ends or of the inputs.
final class OutputQueue {
  private let keepsOrder: Bool
  private let reactor: Reactor
  /// By number, if order is kept; of those that are over.
  private var waiting: [Int: JobOutput?] = [:]
  private var ready: [JobOutput] = []
  private var next = 1
  private var timer: ReactorTimer?
  private let whenDrained: () -> Void

  init(keepsOrder: Bool, on reactor: Reactor, _ whenDrained: @escaping () -> Void) {
    (self.keepsOrder, self.reactor, self.whenDrained) = (keepsOrder, reactor, whenDrained)
  }

  /// The job whose turn it is, though it is not over yet.
  var turn: Int? { keepsOrder && ready.isEmpty ? next : nil }

  /// How many jobs' output waits to be shown.
  var count: Int { waiting.count + ready.count }

  /// The job is over.
  func add(_ output: JobOutput?, number: Int) {
    if keepsOrder {
      waiting[number] = .some(output)
      while let found = waiting.removeValue(forKey: next) {
        next += 1
        if let found { ready.append(found) }
      }
    } else if let output {
      ready.append(output)
    }
    pump()
  }

  /// No more jobs will be over: shows what waits for others, in order.
  func close() {
    for (_, output) in waiting.sorted(by: { $0.key < $1.key }) {
      if let output { ready.append(output) }
    }
    waiting = [:]
    pump()
  }

  private func pump() {
    while let first = ready.first {
      guard first.print() else {
        timer?.cancel()
        timer = reactor.after(2_000_000) { [unowned self] in pump() }
        return
      }
      ready.removeFirst()
    }
    whenDrained()
  }
}
