// Work given out as it is asked for: rank 0 hands numbers to whoever is free, and the tag says what a message is.
//
//     .build/release/apus launch -n 4 .build/release/MasterWorkers
import Apus

enum Tag {
  static let work = 1
  static let result = 2
  static let stop = 3
}

struct Answer: Codable {
  var number: Int
  var steps: Int
}

/// How many steps the Collatz sequence of `number` takes to 1.
func collatzSteps(_ number: Int) -> Int {
  var (n, steps) = (number, 0)
  while n != 1 {
    n = n % 2 == 0 ? n / 2 : 3 * n + 1
    steps += 1
  }
  return steps
}

@main
struct MasterWorkers {
  static let numbers = 1...200

  static func main() throws {
    let world = try Communicator.world()
    if world.size == 1 {
      report(numbers.map { Answer(number: $0, steps: collatzSteps($0)) })
    } else if world.rank == 0 {
      report(try giveOut(world))
    } else {
      try work(world)
    }
  }

  static func giveOut(_ world: Communicator) throws -> [Answer] {
    var answers: [Answer] = []
    var left = Array(numbers.reversed())
    for worker in 1..<world.size {
      if let number = left.popLast() { try world.send(number, to: worker, tag: Tag.work) }
    }
    while answers.count < numbers.count {
      let (answer, status) = try world.receiveWithStatus(Answer.self, from: .any, tag: Tag.result)
      answers.append(answer)
      if let number = left.popLast() { try world.send(number, to: status.source, tag: Tag.work) }
    }
    for worker in 1..<world.size { try world.send(0, to: worker, tag: Tag.stop) }
    return answers
  }

  static func work(_ world: Communicator) throws {
    while true {
      let (number, status) = try world.receiveWithStatus(Int.self, from: 0)
      if status.tag == Tag.stop { return }
      try world.send(Answer(number: number, steps: collatzSteps(number)), to: 0, tag: Tag.result)
    }
  }

  static func report(_ answers: [Answer]) {
    let longest = answers.max { ($0.steps, $1.number) < ($1.steps, $0.number) }!
    print("\(answers.count) answers; \(longest.number) takes longest: \(longest.steps) steps")
  }
}
