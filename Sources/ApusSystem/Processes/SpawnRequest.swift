import CApus

/// A program to start, and what it gets.
package struct SpawnRequest: Sendable {
  /// Taken as it is, with no search in PATH. If relative, it is relative to the working directory.
  package var path: ByteString
  /// What the program sees as `argv`, its own name first.
  package var arguments: [ByteString]
  /// Each `NAME=value`.
  package var environment: [ByteString]
  /// Which descriptors of this process the child gets, under which numbers. Order does not matter and numbers
  /// may overlap, swap or be the same; of two pairs with one target the last wins. Besides these the child has
  /// only 0, 1 and 2, as they are here. The sources must stay open until `spawn` returns.
  package var descriptors: [(source: Int32, target: Int32)]
  /// Whether the child leads a process group of its own: then Ctrl-C does not reach it, and it can be ended
  /// together with what it starts.
  package var newProcessGroup: Bool
  /// Whether SIGKILL ends the child when this process ends, however it ends. Reaches the child even when it is
  /// stopped; lost if the child runs a set-user-ID program; does not reach the child's own children.
  package var diesWithParent: Bool
  /// Whether what is left of the child's group is killed when the child is reaped. Without effect unless
  /// `newProcessGroup`.
  package var groupEndsWithChild: Bool
  package var workingDirectory: String?
  /// Signals that the child begins with ignored, and with their default action, whatever was at the program's start: bit
  /// `n - 1` is signal `n`.
  package var ignoredSignals: UInt64 = 0
  package var defaultSignals: UInt64 = 0
  /// Where the child starts if nothing else is said. Nil: in what is the current folder then.
  package var folder: WorkingFolder?
  /// Where the child writes the number of its group before it runs anything, if it has one of its own: in memory that
  /// lives as long as the child's start takes.
  // Sound: written by the child alone until its start is over.
  package nonisolated(unsafe) var groupNote: UnsafeMutablePointer<Int32>?
  /// How much lower than ours the child's priority is: 0 to 19.
  package var nice: Int32 = 0
  /// How many descriptors the child may have open, if less than we may. 0: as many.
  package var descriptorLimit: UInt64 = 0

  package init(
    path: ByteString,
    arguments: [ByteString],
    environment: [ByteString] = SpawnRequest.ownEnvironment,
    descriptors: [(source: Int32, target: Int32)] = [],
    newProcessGroup: Bool = true,
    diesWithParent: Bool = true,
    groupEndsWithChild: Bool = true,
    workingDirectory: String? = nil
  ) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.descriptors = descriptors
    self.newProcessGroup = newProcessGroup
    self.diesWithParent = diesWithParent
    self.groupEndsWithChild = groupEndsWithChild
    self.workingDirectory = workingDirectory
  }

  package init(
    path: String,
    arguments: [String],
    environment: [ByteString] = SpawnRequest.ownEnvironment,
    descriptors: [(source: Int32, target: Int32)] = [],
    newProcessGroup: Bool = true,
    diesWithParent: Bool = true,
    groupEndsWithChild: Bool = true,
    workingDirectory: String? = nil
  ) {
    self.init(
      path: ByteString(path), arguments: arguments.map { ByteString($0) }, environment: environment,
      descriptors: descriptors, newProcessGroup: newProcessGroup, diesWithParent: diesWithParent,
      groupEndsWithChild: groupEndsWithChild, workingDirectory: workingDirectory)
  }

  /// A copy of this process's environment. As always with C's environment, another thread that calls `setenv`
  /// at this moment makes it undefined.
  package static var ownEnvironment: [ByteString] {
    var entries: [ByteString] = []
    // Through C: null after `clearenv`, which the `environ` that Swift imports does not allow for.
    guard var next = apus_environment() else { return [] }
    while let entry = next.pointee {
      entries.append(ByteString(cString: entry))
      next += 1
    }
    return entries
  }
}
