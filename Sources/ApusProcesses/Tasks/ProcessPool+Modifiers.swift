// How single calls differ from what the pool's configuration says. Each modifier gives the same pool, with other settings
// for the calls that are made through it; such a view is cheap, and can be kept. It keeps the pool open, too.
extension ProcessPool {
  /// The same pool with another time limit for each task; nil: none, whatever the pool's configuration says.
  ///
  /// ```swift
  /// let report = try await pool.withTimeLimit(nil).run(year, audit)
  /// ```
  public func withTimeLimit(_ limit: Duration?) -> ProcessPool { view { $0.timeLimit = limit } }

  /// The same pool with a deadline for each call, the time in the queue included; nil: none.
  public func withDeadline(_ deadline: Duration?) -> ProcessPool { view { $0.deadline = deadline } }

  /// The same pool for tasks that belong together: those with equal keys are always done by the same worker, one after the
  /// other, so that what it keeps for them (`WorkerLocal`, a cache) is there. If that worker dies, the one in its place does
  /// them. Different keys may share a worker.
  public func withKey(_ key: some Hashable) -> ProcessPool {
    guard workerCount > 0 else { return self }
    return view { $0.place = Int(UInt(bitPattern: key.hashValue) % UInt(workerCount)) }
  }

  /// The same pool, whose calls over many inputs tell how far they are: `body` is called in the caller's task or thread
  /// between two results, and the call goes on when it returns. What it does may take its time, and may use the pool.
  ///
  /// ```swift
  /// let sizes = try await pool.onProgress { print("\($0.done) of \($0.total ?? 0)") }.map(files, size)
  /// ```
  public func onProgress(_ body: @escaping @Sendable (CallProgress) -> Void) -> ProcessPool {
    view { $0.progress = body }
  }

  private func view(_ change: (inout Configuration) -> Void) -> ProcessPool {
    var configuration = configuration
    change(&configuration)
    return ProcessPool(viewOf: self, configuration)
  }
}
