import Glibc

/// One line of what the doctor found.
struct Finding {
  let name: String
  let text: String
  var isBroken = false

  struct Section {
    let title: String
    private(set) var findings: [Finding] = []

    init(_ title: String) { self.title = title }

    var isBroken: Bool { findings.contains(where: \.isBroken) }

    mutating func add(_ name: String, _ text: String) { findings.append(Finding(name: name, text: text)) }

    /// Something that works (0) or was refused with an errno.
    mutating func add(_ name: String, error: Int32, isNeeded: Bool = false, else consequence: String = "") {
      var text = "works"
      if error != 0 {
        text = (isNeeded ? "MISSING: " : "no: ") + String(cString: strerror(error))
        if !consequence.isEmpty { text += "; \(consequence)" }
      }
      findings.append(Finding(name: name, text: text, isBroken: isNeeded && error != 0))
    }

    func show() {
      print(title)
      let width = findings.map(\.name.count).max() ?? 0
      for finding in findings {
        print(
          "  \(finding.name)\(String(repeating: " ", count: width - finding.name.count))  \(finding.text)")
      }
    }
  }
}
