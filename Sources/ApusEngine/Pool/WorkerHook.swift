package import ApusWire

/// A function that each worker calls before its first task, or after its last one.
package struct WorkerHook: Sendable {
  package let function: FunctionDefinition
  package let argument: ByteBuffer
  /// What it is called in messages.
  package let name: String

  package init(_ function: FunctionDefinition, _ argument: ByteBuffer, name: String) {
    (self.function, self.argument, self.name) = (function, argument, name)
  }
}

/// A worker's call of a hook. It travels as a task does.
struct HookCall {
  let hook: WorkerHook
  let job: EngineJob
  var isSent = false

  init(_ hook: WorkerHook) {
    self.hook = hook
    job = EngineJob(hook.function)
    job.isInputClosed = true
  }

  var span: InputSpan {
    InputSpan(batch: InputBatch(only: hook.argument, of: hook.function), range: 0..<1, base: 0)
  }
}
