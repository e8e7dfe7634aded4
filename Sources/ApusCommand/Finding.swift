import Glibc

/// One line of what the doctor found.
struct Finding {
  enum State {
    case fine
    /// Something works less well than it could.
    case lacking
    /// Something that is needed, or that was asked for, does not work.
    case broken
  }

  let name: String
  let text: String
  var state = State.fine
  /// What to do about it.
  var cure = ""

  struct Section {
    let title: String
    private(set) var findings: [Finding] = []

    init(_ title: String) { self.title = title }

    var isBroken: Bool { findings.contains { $0.state == .broken } }

    mutating func add(_ name: String, _ text: String) { findings.append(Finding(name: name, text: text)) }

    mutating func add(_ name: String, _ text: String, _ state: State, cure: String) {
      findings.append(Finding(name: name, text: text, state: state, cure: cure))
    }

    /// Something that works (0) or was refused with an errno.
    mutating func add(
      _ name: String, error: Int32, _ state: State = .lacking, else consequence: String, cure: String
    ) {
      guard error != 0 else { return add(name, "works") }
      add(name, "no: \(String(cString: strerror(error))); \(consequence)", state, cure: cure)
    }

    func show() {
      print(title)
      let width = findings.map(\.name.count).max() ?? 0
      for finding in findings {
        let name = finding.name + String(repeating: " ", count: width - finding.name.count)
        let mark =
          switch finding.state {
          case .fine: " "
          case .lacking: "-"
          case .broken: "!"
          }
        print("\(mark) \(name)  \(finding.text)")
        if !finding.cure.isEmpty { print("  \(String(repeating: " ", count: width))  > \(finding.cure)") }
      }
    }
  }
}
