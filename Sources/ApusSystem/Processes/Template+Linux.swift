import CApus
import Glibc

/// A process that forks others from itself when it is asked to, so that each begins with what this one has made ready.
///
/// It is a program of one thread that reads requests from a socket, and answers each:
///
///     fork    a byte 1, 7 of padding, then the numbers that the descriptors sent along are to have in the child, 4 bytes each;
///             the answer: the child's process, or minus an errno, 8 bytes
///     reap    a byte 2, 7 of padding, 8 bytes: a child that has ended; the answer: how as `si_code` says, and the code or signal,
///             4 bytes each
///
/// It ends when the socket is closed. Its children are not ours: it reaps them on our word, so that until then a child's number
/// is its own. Their ends are told by pidfds.
///
/// One that does not answer in time is asked nothing more, and another takes its place. It is ended with the last of its
/// children: they die with it, and are at work.
package final class Template: Sendable {
  /// Under which descriptor the template finds its socket.
  package static let socketNumber: Int32 = 3

  private let request: SpawnRequest
  /// What `request` names by number.
  private let inputs: [OwnedDescriptor]
  private let patience: Int32
  private let current: Locked<Life>

  /// - Parameters:
  ///   - request: The program that is to be a template. It dies with this process, and what it forks with it. If it ends it is
  ///     started again.
  ///   - inputs: Descriptors that the request gives it.
  ///   - patience: Milliseconds that it may take to make itself ready.
  package init(
    _ request: SpawnRequest, keeping inputs: [OwnedDescriptor] = [], patience: Int32
  ) throws(ProcessError) {
    (self.request, self.inputs, self.patience) = (request, inputs, patience)
    current = Locked(try Life(request, patience))
  }

  /// Whether it has ended, or does not answer, without ever having been ready.
  package var hasFailed: Bool { current.withLock { $0 }.hasFailed }

  /// Has a child forked, which leads a group of its own. Blocks until the template is ready.
  ///
  /// - Parameter descriptors: What the child gets, and under which numbers, as in `SpawnRequest`.
  package func fork(_ descriptors: [(source: Int32, target: Int32)]) throws(ProcessError) -> ChildProcess {
    let life = try current.withLock { (life) throws(ProcessError) in
      // One that never was ready would not be the next time.
      if life.isOver, life.wasReady { life = try Life(request, patience) }
      return life
    }
    return try life.fork(descriptors)
  }

  /// One run of the program.
  private final class Life: ProcessKeeper {
    private let process: ChildProcess
    private let connection: OwnedDescriptor
    private let patience: Int32
    private let owner = getpid()
    /// Whether it has ever answered, and why it does not any more. The lock is for one question at a time.
    private let talk = Locked((hasAnswered: false, failure: ProcessError?.none))

    init(_ request: SpawnRequest, _ patience: Int32) throws(ProcessError) {
      self.patience = patience
      let (ours, theirs) = try OwnedDescriptor.messageSocketPair()
      var request = request
      request.descriptors.append((theirs.number, Template.socketNumber))
      (process, connection) = (try Spawner.spawn(request), ours)
    }

    deinit {
      guard getpid() == owner else { return }
      process.signalGroup(SIGKILL)
      _ = process.wait()
    }

    private var hasEnded: Bool { process.reap() != nil }
    var isThere: Bool { !hasEnded }
    /// Whether it forks no more.
    var isOver: Bool { talk.withLock { $0.failure != nil } || hasEnded }
    var hasFailed: Bool { talk.withLock { $0.failure != nil && !$0.hasAnswered } }
    var wasReady: Bool { talk.withLock { $0.hasAnswered } }

    func fork(_ descriptors: [(source: Int32, target: Int32)]) throws(ProcessError) -> ChildProcess {
      let answer = try ask([1, 0] + descriptors.map(\.target), descriptors.map(\.source), within: patience)
      guard answer > 0, let pid = Int32(exactly: answer) else {
        throw ProcessError(errno: Int32(clamping: -answer), doing: "have a worker forked by its template")
      }
      let pidfd = apus_pidfd_open(pid)
      guard pidfd >= 0 else {
        kill(pid, SIGKILL)
        _ = reap(pid)
        throw ProcessError(errno: -pidfd, doing: "watch a worker that its template has forked")
      }
      return ChildProcess(pid: pid, pidfd: pidfd, group: .endsWithChild, keeper: self)
    }

    func reap(_ pid: Int32) -> ExitStatus {
      // Whoever asks may hold up others.
      guard let answer = try? ask([2, 0, pid, 0], [], within: 1000) else { return .unknown }
      var ended = apus_exit()
      (ended.how, ended.value) = (Int32(truncatingIfNeeded: answer), Int32(truncatingIfNeeded: answer >> 32))
      return ExitStatus(ended)
    }

    /// The answer to a message, 8 bytes.
    private func ask(
      _ message: [Int32], _ descriptors: [Int32], within limit: Int32
    ) throws(ProcessError) -> Int64 {
      try talk.withLock { (talk) throws(ProcessError) in
        if let failure = talk.failure { throw failure }
        do throws(ProcessError) {
          let answer = try exchange(message, descriptors, within: limit)
          talk.hasAnswered = true
          return answer
        } catch {
          // A late answer would be taken for the next one's.
          talk.failure = error
          if !talk.hasAnswered { process.signalGroup(SIGKILL) }  // it has no children
          throw error
        }
      }
    }

    private func exchange(
      _ message: [Int32], _ descriptors: [Int32], within limit: Int32
    ) throws(ProcessError) -> Int64 {
      let connection = connection.number
      let error = apus_socket_send_all(
        connection, message, message.count * 4, descriptors, descriptors.count)
      if error != 0 { throw ended(error) }
      guard isReadable(connection, within: limit) else {
        throw ProcessError(errno: ETIMEDOUT, doing: "wait for a template that makes itself ready")
      }
      var answer: Int64 = 0
      var descriptor: Int32 = -1
      guard apus_socket_receive(connection, &answer, 8, &descriptor) == 8 else { throw ended(ECONNRESET) }
      return answer
    }

    private func ended(_ error: Int32) -> ProcessError {
      // Its socket is closed a moment before it is gone.
      let notice = process.pidfd
      if notice >= 0 { _ = isReadable(notice, within: 1000) }
      let status = process.reap().map { ", which has ended with \($0) (standard error may say why)" } ?? ""
      return ProcessError(errno: error, doing: "have a worker forked by its template\(status)")
    }
  }
}

/// Whether there is something to read, or will be in so many milliseconds (-1: waits for ever).
package func isReadable(_ descriptor: Int32, within milliseconds: Int32) -> Bool {
  var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  while true {
    let count = poll(&entry, 1, milliseconds)
    if count >= 0 { return count > 0 }
    if errno != EINTR { return true }  // whoever reads finds out
  }
}
