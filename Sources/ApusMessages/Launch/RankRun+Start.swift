import ApusSystem
import CApus
import Glibc

extension RankRun {
  /// Starts all ranks, 32 at a time: while a rank is started it takes four descriptors more than afterwards.
  func startAll() throws(ProcessError) {
    let nothing = try OwnedDescriptor.nothing()
    for first in stride(from: 0, to: size, by: 32) {
      try start(first..<min(first + 32, size), nothing)
    }
    // Rank 0 alone has the reading end now. So the feed learns when nobody reads any more.
    input?.source.close()
    let all = ranks.map(\.child)
    supervisor.children.withLock { $0 = all }
  }

  private func start(_ range: Range<Int>, _ nothing: OwnedDescriptor) throws(ProcessError) {
    var pipes: [(output: Pipe, errors: Pipe)] = []
    for _ in range { pipes.append((try OwnedDescriptor.pipe(), try OwnedDescriptor.pipe())) }
    let requests = zip(range, pipes).map { rank, pipes in
      request(rank, pipes.output, pipes.errors, nothing)
    }
    let results = withExtendedLifetime((pipes, nothing)) { Spawner.spawn(requests) }
    var failure: ProcessError?
    for ((rank, pipes), result) in zip(zip(range, pipes), results) {
      pipes.output.writing.close()
      pipes.errors.writing.close()
      switch result {
      case .success(let child):
        do {
          try adopt(child, rank, pipes.output, pipes.errors)
        } catch let error {
          child.signalGroup(SIGKILL)
          _ = child.wait()
          options.watchdog?.watch(rank, group: 0)
          failure = failure ?? error
        }
      case .failure(let error):
        options.watchdog?.watch(rank, group: 0)
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private func adopt(_ child: ChildProcess, _ number: Int, _ output: Pipe, _ errors: Pipe)
    throws(ProcessError)
  {
    let rank = RankProcess(
      rank: number, child: child,
      output: try RankStream(
        rank: number, of: size, source: output.reading, target: .standardOutput, mode: options.output,
        holdsLines: options.holdsLines, tag: Tag.output | UInt64(number)),
      errors: try RankStream(
        rank: number, of: size, source: errors.reading, target: .standardError, mode: options.errors,
        holdsLines: options.holdsLines, tag: Tag.errors | UInt64(number)))
    if child.pidfd >= 0 { try poller.add(child.pidfd, tag: Tag.death | UInt64(number)) }
    for stream in [rank.output, rank.errors] { try relays.add(stream.relay, tag: stream.tag) }
    ranks.append(rank)
  }

  private func request(
    _ rank: Int, _ output: Pipe, _ errors: Pipe, _ nothing: OwnedDescriptor
  ) -> SpawnRequest {
    var request = supervisor.commands[rank]
    let variable = RankCredential.variable + "="
    // A launcher may itself have been started as a rank.
    request.environment.removeAll { $0.hasPrefix(variable) }
    request.environment.append(ByteString(variable + bootstrap.credential(for: rank).text))
    request.descriptors += [(output.writing.number, 1), (errors.writing.number, 2)]
    if rank != 0 || !options.forwardsInput || fcntl(0, F_GETFD) < 0 {
      request.descriptors.append((nothing.number, 0))
    } else if let input {
      request.descriptors.append((input.source.number, 0))
    }
    (request.newProcessGroup, request.diesWithParent, request.groupEndsWithChild) = (true, true, true)
    request.groupNote = options.watchdog?.note(rank)
    return request
  }

  /// The run has failed: kills what was started, and reaps it.
  func abandonAll() {
    input?.end()
    for rank in ranks { rank.child.signalGroup(SIGKILL) }
    for rank in ranks { _ = rank.child.wait() }
  }
}

/// A pipe from a rank.
private typealias Pipe = (reading: OwnedDescriptor, writing: OwnedDescriptor)
