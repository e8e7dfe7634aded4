/// Something that the command can't do, in words for a person.
struct CommandProblem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
