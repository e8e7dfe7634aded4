import ApusEngine
import ApusSystem
import CApus
public import CApusPython

/// A pool, as Python holds it.
final class PoolHandle {
  let engine: PoolEngine
  let endings = EndingQueue()

  init(_ config: apus_py_pool_config) throws {
    var request = SpawnRequest(
      path: ByteString(cString: config.executable), arguments: Self.lines(config.arguments))
    if let environment = config.environment { request.environment = Self.lines(environment) }
    var configuration = EngineConfiguration(workers: Int(config.workers), command: request)
    configuration.checksIdentity = false  // what runs is an interpreter
    configuration.startUpLimit = config.start_limit > 0 ? config.start_limit : nil
    configuration.template = config.workers_template.map { borrowed($0, Template.self) }
    configuration.name = String(cString: config.name)
    if let function = config.start_function {
      let argument = UnsafeRawBufferPointer(start: config.start_argument, count: Int(config.start_length))
      configuration.startHook = WorkerHook(
        borrowed(function, FunctionHandle.self).definition, copied(argument), name: "start")
    }
    configuration.tasksPerWorker = config.tasks_per_worker > 0 ? Int(config.tasks_per_worker) : nil
    configuration.memoryLimit = config.memory_limit > 0 ? config.memory_limit : nil
    configuration.retriesAlone = config.retries_alone != 0
    configuration.restarts = config.restarts >= 0 ? Int(config.restarts) : nil
    engine = try PoolEngine(configuration)
  }

  /// Up to the null pointer.
  static func lines(_ lines: UnsafePointer<UnsafePointer<CChar>?>) -> [ByteString] {
    var found: [ByteString] = []
    var next = lines
    while let line = next.pointee {
      found.append(ByteString(cString: line))
      next += 1
    }
    return found
  }
}

/// Starts a pool. Null if that fails: `problem` then says why.
@c(apus_py_pool_new)
public func newPool(
  _ config: UnsafePointer<apus_py_pool_config>, _ problem: UnsafeMutablePointer<CChar>, _ size: UInt64
) -> UnsafeMutableRawPointer? {
  do { return handedOut(try PoolHandle(config.pointee)) } catch {
    write("no worker could be started: \(error)", to: problem, size)
    return nil
  }
}

/// Ends a pool: see `PoolEngine.shutDown`.
@c(apus_py_pool_shut_down)
public func shutDownPool(_ pool: UnsafeMutableRawPointer, _ grace: UInt64) {
  borrowed(pool, PoolHandle.self).engine.shutDown(within: grace)
}

/// Whether it was shut down, and no worker is left.
@c(apus_py_pool_has_ended)
public func poolHasEnded(_ pool: UnsafeMutableRawPointer) -> Int32 {
  borrowed(pool, PoolHandle.self).engine.hasEnded ? 1 : 0
}

/// The processes of the workers that live. Returns how many there are; writes at most `room` of them.
@c(apus_py_pool_processes)
public func poolProcesses(
  _ pool: UnsafeMutableRawPointer, _ place: UnsafeMutablePointer<Int32>, _ room: Int64
) -> Int64 {
  let processes = borrowed(pool, PoolHandle.self).engine.processIdentifiers
  for (index, process) in processes.prefix(Int(room)).enumerated() { place[index] = process }
  return Int64(processes.count)
}

/// How the pool fares: see `PoolStatistics`.
@c(apus_py_pool_statistics)
public func poolStatistics(_ pool: UnsafeMutableRawPointer, _ place: UnsafeMutablePointer<apus_py_statistics>)
{
  let found = borrowed(pool, PoolHandle.self).engine.statistics()
  place.pointee = apus_py_statistics(
    submitted: Int64(found.submitted), queued: Int64(found.queued), running: Int64(found.running),
    succeeded: Int64(found.succeeded), failed: Int64(found.failed), cancelled: Int64(found.cancelled),
    retried: Int64(found.retried), restarts: Int64(found.restarts), recycled: Int64(found.recycled))
}

/// Starts what workers are forked from: an interpreter that reads requests from descriptor 3 (see `Template`), and `input` from
/// descriptor 4, and may take `patience` milliseconds to be ready. Its environment is this process's, with one variable that is
/// set (`NAME=value`) if `variable` is not null. Null if that fails: `problem` then says why.
@c(apus_py_template_new)
public func newTemplate(
  _ executable: UnsafePointer<CChar>, _ arguments: UnsafePointer<UnsafePointer<CChar>?>,
  _ variable: UnsafePointer<CChar>?, _ input: Int32, _ patience: Int32,
  _ problem: UnsafeMutablePointer<CChar>, _ size: UInt64
) -> UnsafeMutableRawPointer? {
  do {
    let input = try OwnedDescriptor.duplicate(input)
    var request = SpawnRequest(
      path: ByteString(cString: executable), arguments: PoolHandle.lines(arguments),
      descriptors: [(input.number, 4)])
    if let variable {
      let variable = ByteString(cString: variable)
      let name = String(decoding: variable.bytes.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self) + "="
      request.environment = request.environment.filter { !$0.hasPrefix(name) } + [variable]
    }
    return handedOut(try Template(request, keeping: [input], patience: patience))
  } catch {
    write("no template could be started: \(error)", to: problem, size)
    return nil
  }
}

/// Whether a template has never been ready, and will not be.
@c(apus_py_template_has_failed)
public func templateHasFailed(_ template: UnsafeMutableRawPointer) -> Int32 {
  borrowed(template, Template.self).hasFailed ? 1 : 0
}
