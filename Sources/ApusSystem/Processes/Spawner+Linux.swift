import CApus
import Glibc
import Synchronization

/// Starts programs, all from threads that never end.
///
/// `PR_SET_PDEATHSIG` follows the *thread* that spawned, not the process: a worker started from a cooperative
/// thread or from a short-lived one would be killed when that thread ends, in the middle of its work. (It also
/// ends, and the children with it, when this process replaces itself with `exec`.)
package enum Spawner {
  /// Starts a program. Blocks for the spawn alone (a fraction of a millisecond); call it from any thread.
  package static func spawn(_ request: SpawnRequest) throws(ProcessError) -> ChildProcess {
    try spawn([request])[0].get()
  }

  /// Starts several programs, two at a time: a thread waits until its child has become the other program, a
  /// millisecond or more. Each succeeds or fails for itself.
  package static func spawn(_ requests: [SpawnRequest]) -> [Result<ChildProcess, ProcessError>] {
    let threads: [SpawnerThread]
    do {
      threads = try current(min(requests.count, mostThreads))
    } catch {
      return requests.map { _ in .failure(error) }
    }
    let half = (requests.count + threads.count - 1) / max(1, threads.count)
    let jobs = threads.enumerated().map { index, thread in
      thread.start(Array(requests.dropFirst(index * half).prefix(half)))
    }
    return jobs.flatMap { $0.wait() }
  }

  private static let mostThreads = 2

  /// Starts a program from the calling thread, which saves two changes of thread. Only for a thread that lives
  /// as long as the process, such as the main thread of a command: the children that die with their parent die
  /// with this thread.
  package static func spawnFromThisThread(_ request: SpawnRequest) throws(ProcessError) -> ChildProcess {
    try startProgram(request).get()
  }

  private static let shared = Locked<[SpawnerThread]>([])

  private static func current(_ count: Int) throws(ProcessError) -> [SpawnerThread] {
    try shared.withLock { (shared) throws(ProcessError) in
      // A fork (Python's os.fork) copies this memory and not the threads: the child needs its own.
      if let thread = shared.first, thread.process != getpid() { shared = [] }
      // One will do where the system refuses a second.
      while shared.count < count {
        let thread = shared.isEmpty ? try SpawnerThread() : try? SpawnerThread()
        guard let thread else { break }
        shared.append(thread)
      }
      return Array(shared.prefix(count))
    }
  }
}

private final class SpawnerThread: Sendable {
  let process = getpid()
  private let jobs = Locked<[Job]>([])
  private let wake = NativeSemaphore()

  final class Job: Sendable {
    fileprivate let requests: [SpawnRequest]
    fileprivate let results = Locked<[Result<ChildProcess, ProcessError>]>([])
    fileprivate let done = NativeSemaphore()
    fileprivate init(_ requests: [SpawnRequest]) { self.requests = requests }

    func wait() -> [Result<ChildProcess, ProcessError>] {
      done.wait()
      return results.withLock { $0 }
    }
  }

  init() throws(ProcessError) {
    try NativeThread.start(name: "apus-spawner") { self.serve() }
  }

  func start(_ requests: [SpawnRequest]) -> Job {
    let job = Job(requests)
    jobs.withLock { $0.append(job) }
    wake.signal()
    return job
  }

  private func serve() -> Never {
    while true {
      wake.wait()
      // One signal a job, so there is a job for each wake.
      let job = jobs.withLock { $0.removeFirst() }
      let results = job.requests.map(startProgram)
      job.results.withLock { $0 = results }
      job.done.signal()
    }
  }
}

/// Spawns from the calling thread.
private func startProgram(_ request: SpawnRequest) -> Result<ChildProcess, ProcessError> {
  let doing = "starting \(request.path)"
  let directory = request.workingDirectory
  guard
    let strings = CStringArray([request.path, ByteString(directory ?? "")]),
    let arguments = CStringArray(request.arguments),
    let environment = CStringArray(request.environment)
  else {
    return .failure(ProcessError(errno: EINVAL, doing: doing + ", whose path or arguments hold a NUL"))
  }
  let descriptors = request.descriptors.map { apus_descriptor_pair(source: $0.source, target: $0.target) }
  var flags: UInt32 = 0
  if request.newProcessGroup { flags |= UInt32(APUS_SPAWN_NEW_GROUP) }
  if request.diesWithParent { flags |= UInt32(APUS_SPAWN_DIE_WITH_PARENT) }

  var pid: pid_t = -1
  var pidfd: Int32 = -1
  var step: Int32 = 0
  let error = descriptors.withUnsafeBufferPointer { descriptors in
    withUnsafeMutablePointer(to: &step) { step in
      var raw = apus_spawn_request(
        path: strings.pointers[0],
        argv: arguments.pointers,
        envp: environment.pointers,
        descriptors: descriptors.baseAddress,
        descriptor_count: descriptors.count,
        working_directory: directory == nil ? nil : UnsafePointer(strings.pointers[1]),
        folder: request.folder?.number ?? -1,
        is_in_folder: request.folder?.isCurrent ?? false,
        flags: flags,
        ignored_signals: request.ignoredSignals,
        default_signals: request.defaultSignals,
        group_note: request.groupNote,
        nice: request.nice,
        descriptor_limit: request.descriptorLimit,
        failed_step: step
      )
      return apus_spawn(&raw, &pid, &pidfd)
    }
  }
  if error != 0 {
    let isOfProgram = [Int(APUS_SPAWN_STEP_EXEC), Int(APUS_SPAWN_STEP_DIRECTORY)].contains(Int(step))
    return .failure(
      ProcessError(
        errno: error, doing: doing + detail(of: Int(step), in: directory), isOfProgram: isOfProgram))
  }
  let ownGroup: ChildProcess.Group = request.groupEndsWithChild ? .endsWithChild : .own
  let group = request.newProcessGroup ? ownGroup : .shared
  return .success(ChildProcess(pid: pid, pidfd: pidfd, group: group))
}

private func detail(of step: Int, in directory: String?) -> String {
  switch step {
  case Int(APUS_SPAWN_STEP_GROUP): ": making its process group"
  case Int(APUS_SPAWN_STEP_DESCRIPTORS): ": handing it its descriptors"
  case Int(APUS_SPAWN_STEP_DIRECTORY): ": entering its working directory" + (directory.map { " \($0)" } ?? "")
  default: ""
  }
}
