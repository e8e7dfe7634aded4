import StressSupport

/// What the ranks of some communicators do together.
enum Action: CaseIterable, Sendable {
  // Messages, in different ways to send and to take them.
  case inOrder, inAnyOrder, fromAnyone, shift, awaited
  case barrier, broadcastValue, broadcastBuffer, scatterValues, scatterElements, gatherValues, gatherElements
  case allGatherValues, allGatherElements, allToAllValues, allToAllElements
  case reduceValue, reduceTexts, reduceElements, reduceFlags, reduceScatter, scanValue, scanElements
  // Communicators.
  case split, duplicate, leave
}

/// A step of a program: all ranks know it.
struct Step: Sendable {
  /// In the whole run.
  let number: Int
  let action: Action
  /// Which of the program's families of communicators it is about.
  let family: Int
  /// All else follows from it.
  let key: UInt64
}

/// The communicators that one split has made: each rank of the world is in one of them at most.
struct Family: Sendable {
  /// The ranks of the world in each, in the order of their ranks there.
  let groups: [[Int]]

  func group(of rank: Int) -> [Int]? { groups.first { $0.contains(rank) } }

  /// What becomes of it when each group splits.
  func split(_ key: UInt64) -> Family {
    Family(
      groups: groups.flatMap { group in
        let choices = Self.choices(key, group)
        return Set(choices.compactMap(\.color)).sorted().map { color in
          group.indices.filter { choices[$0].color == color }
            .sorted { (choices[$0].key, $0) < (choices[$1].key, $1) }
            .map { group[$0] }
        }
      })
  }

  /// The colors and keys that the ranks of a group give.
  static func choices(_ key: UInt64, _ group: [Int]) -> [(color: Int?, key: Int)] {
    var random = Random(mix(key, UInt64(group[0])))
    let colors = 1 + random.below(3)
    return group.map { _ in
      let color = random.below(8) == 0 ? nil : random.below(colors) - 1
      return (color, random.below(5) - 2)
    }
  }
}

/// Steps at random, from a seed: every rank makes up the same.
struct Program: Sendable {
  private static let mostFamilies = 5
  private var random: Random
  private let awaits: Bool
  private var number: Int
  private(set) var families: [Family]

  /// Asynchronous calls are among the steps if `awaits`; `number` is the first step's.
  init(seed: UInt64, size: Int, awaits: Bool, from number: Int) {
    (random, self.awaits, self.number) = (Random(seed), awaits, number)
    families = [Family(groups: [Array(0..<size)])]
  }

  mutating func next() -> Step {
    let family = random.below(families.count)
    var action = Action.allCases[random.below(Action.allCases.count)]
    // Half of all steps are messages.
    if random.below(3) == 0 { action = [.inOrder, .inAnyOrder, .fromAnyone, .shift][random.below(4)] }
    if families.count == Self.mostFamilies { action = .leave }
    if action == .leave, family == 0 { action = .barrier }
    if action == .awaited, !awaits { action = .inAnyOrder }
    let step = Step(number: number, action: action, family: family, key: random.next())
    number += 1
    switch action {
    case .split: families.append(families[family].split(step.key))
    case .duplicate: families.append(families[family])
    case .leave: families.remove(at: family)
    default: break
    }
    return step
  }
}
