import Apus
import StressSupport

/// Plays a program on this rank.
struct Player {
  private let world: Communicator
  private var program: Program
  /// Of each of the program's families the one that this rank is in.
  private var communicators: [Communicator?]

  init(_ world: Communicator, _ program: Program) {
    (self.world, self.program, communicators) = (world, program, [world])
  }

  mutating func play(steps: Int, _ watch: Watch) async throws {
    for _ in 0..<steps {
      let before = program.families
      let step = program.next()
      watch.see(step)
      do { try await play(step, before[step.family]) } catch let error as Mismatch {
        let group = before[step.family].group(of: world.rank) ?? []
        throw Mismatch(
          description: "step \(step.number), \(step.action) among \(group), on rank \(world.rank): \(error)")
      }
    }
  }

  private mutating func play(_ step: Step, _ family: Family) async throws {
    if step.action == .leave {
      communicators.remove(at: step.family)
      return
    }
    guard let communicator = communicators[step.family], let members = family.group(of: world.rank) else {
      if step.action == .split || step.action == .duplicate { communicators.append(nil) }
      return
    }
    let group = Group(communicator, members, step)
    if step.action == .awaited { return try await group.awaited() }
    if let made = try act(group, members) { communicators.append(made) }
  }

  /// Does a step that is not awaited; returns the communicator that it has made, or that it has not got.
  private func act(_ group: Group, _ members: [Int]) throws -> Communicator?? {
    switch group.step.action {
    case .inOrder: try group.inOrder()
    case .inAnyOrder: try group.inAnyOrder()
    case .fromAnyone: try group.fromAnyone()
    case .shift: try group.shift()
    case .barrier: try group.communicator.barrier()
    case .broadcastValue: try group.broadcastValue()
    case .broadcastBuffer: try group.broadcastBuffer()
    case .scatterValues: try group.scatterValues()
    case .scatterElements: try group.scatterElements()
    case .gatherValues: try group.gatherValues()
    case .gatherElements: try group.gatherElements()
    case .allGatherValues: try group.allGatherValues()
    case .allGatherElements: try group.allGatherElements()
    case .allToAllValues: try group.allToAllValues()
    case .allToAllElements: try group.allToAllElements()
    case .reduceValue: try group.reduceValue()
    case .reduceTexts: try group.reduceTexts()
    case .reduceElements: try group.reduceElements()
    case .reduceFlags: try group.reduceFlags()
    case .reduceScatter: try group.reduceScatter()
    case .scanValue: try group.scanValue()
    case .scanElements: try group.scanElements()
    case .split:
      let mine = Family.choices(group.step.key, members)[group.rank]
      let made = try group.communicator.split(color: mine.color, key: mine.key)
      try check(made, program.families.last!.group(of: world.rank))
      return .some(made)
    case .duplicate:
      let made = try group.communicator.duplicate()
      try check(made, members)
      return .some(made)
    case .awaited, .leave: break
    }
    return nil
  }

  private func check(_ made: Communicator?, _ members: [Int]?) throws {
    try expect(made.map { try $0.allGather(world.rank) }, members, "members")
    if let members { try expect(made?.rank, members.firstIndex(of: world.rank), "rank") }
  }
}
