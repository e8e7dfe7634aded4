import ApusSystem
import Glibc
import TestSupport
import Testing

extension LaunchTests {
  @Suite struct OutputTests {
    @Test func linesStayWhole() async throws {
      let run = try await launch("-n", "3", "--", ranks, "lines", "500")
      #expect(run.status == .exited(0))
      let lines = run.output.split(separator: "\n")
      #expect(lines.count == 1500)
      for line in lines {
        let words = line.split(separator: " ")
        #expect(words.count == 3 && words[2] == String(repeating: "x", count: 300)[...])
      }
      for rank in 0..<3 {
        let numbers = lines.filter { $0.hasPrefix("\(rank) ") }.map { Int($0.split(separator: " ")[1])! }
        #expect(numbers == Array(0..<500))
      }
    }

    @Test func prefixed() async throws {
      let run = try await launch("--prefix", "-n", "2", "--", "sh", "-c", "printf 'a\\n\\nb'; echo c >&2")
      #expect(run.lines == ["[0] ", "[0] a", "[0] b", "[1] ", "[1] a", "[1] b"])
      #expect(run.errors.split(separator: "\n").sorted() == ["[0] c", "[1] c"])
      let many = try await launch("--prefix", "-n", "11", "--", "echo", "a")
      #expect(Set(many.lines) == Set((0..<10).map { "[ \($0)] a" } + ["[10] a"]))
    }

    /// In the order of the ranks, though the first ends last.
    @Test func grouped() async throws {
      let script = """
        case $APUS_RANK in *:0:*) sleep 0.3;; esac
        echo "$APUS_RANK" | cut -d: -f2; sleep 0.1; echo end
        """
      let run = try await launch("--group", "-n", "3", "--", "sh", "-c", script)
      #expect(run.output == "0\nend\n1\nend\n2\nend\n")
    }

    @Test func muchOfIt() async throws {
      let script = "head -c 5000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo"
      for mode in ["--plain", "--group", "--prefix"] {
        let run = try await launch(mode, "-n", "2", "--", "sh", "-c", script)
        #expect(run.output.utf8.lazy.filter { $0 == UInt8(ascii: "x") }.count == 10_000_000)
      }
    }

    /// However long they are.
    @Test(arguments: ["--plain", "--prefix"])
    func longLinesStayWhole(mode: String) async throws {
      let script = "for i in 1 2 3; do head -c 300000 /dev/zero | tr '\\0' x; sleep 0.05; done; echo"
      let run = try await launch(mode, "-n", "3", "--", "sh", "-c", script)
      let lines = run.output.split(separator: "\n")
      #expect(lines.count == 3)
      for line in lines {
        #expect(line.hasSuffix(String(repeating: "x", count: 900_000)) && line.utf8.count < 900_008)
      }
    }

    @Test func aRankThatIsAloneIsPassedOnToTheByte() async throws {
      let run = try await launch("-n", "1", "--", "printf", "a\\nb")
      #expect(run.output == "a\nb")
    }

    @Test func standardInputIsRankZeros() async throws {
      let run = try await launch("-n", "3", "--prefix", "--", "cat", input: "one\ntwo\n")
      #expect(run.output == "[0] one\n[0] two\n")
      let none = try await launch("-n", "3", "--prefix", "--no-stdin", "--", "cat", input: "one\ntwo\n")
      #expect(none.output == "" && none.status == .exited(0))
    }

    /// A question without a newline is seen by a program that drives the rank through pipes.
    @Test(arguments: [["-n", "1"], ["-n", "2"], ["-n", "2", "--plain"]])
    func aPromptIsSeen(options: [String]) async throws {
      let script = "case $APUS_RANK in *:0:*) printf 'name? '; read name; echo \"hello $name\";; esac"
      let live = try LiveLaunch(options + ["--", "sh", "-c", script], input: .pipe)
      #expect(await live.prints("name? "))
      live.type("world\n")
      #expect(await live.prints("name? hello world\n"))
      live.signal(SIGTERM)
      _ = await live.status()
    }

    @Test func argumentsComeAsTheyAre() async throws {
      let run = try await launch("-n", "1", "--", "printf", "%s|", "-n", "--", "a b", "", "--help")
      #expect(run.output == "-n|--|a b||--help|")
      let without = try await launch("-n1", "printf", "%s|", "-n", "--", "--prefix")
      #expect(without.output == "-n|--|--prefix|")
    }

    /// Also where they, the program's own path, or the environment are no UTF-8.
    @Test func bytesComeAsTheyAre() async throws {
      let apus = programFolder + "/apus"
      let script = """
        folder=$(mktemp -d); program="$folder/$(printf 'caf\\351')"; trap 'rm -r "$folder"' EXIT
        printf '#!/bin/sh\\nprintf "%%s|" "${0##*/}" "$APUS_TEST_LATIN" "$@"' > "$program"; chmod +x "$program"
        export APUS_TEST_LATIN=$(printf 'na\\357ve')
        "$0" launch -n 1 -- "$program" "$(printf '\\377')" a | od -An -c | tr -d ' \\n'
        PATH="$folder:$PATH" "$0" launch -n 1 "$(printf 'caf\\351')" b | od -An -c | tr -d ' \\n'
        """
      let run = try await runProgram("/bin/sh", ["sh", "-c", script, apus])
      #expect(run.output == "caf351|na357ve|377|a|caf351|na357ve|b|", "\(run)")
    }

    @Test func ranksShareTheProcessors() async throws {
      let run = try await launch("-n", "200", "true")
      #expect(run.status == .exited(0))
      let share = try await launch(
        "-n", "2", "--", "sh", "-c", "echo $APUS_CPUS", environment: ["APUS_CPUS=1"])
      #expect(share.output == "1\n1\n")
    }

    /// As in a pipeline without us: whoever writes to nobody learns it.
    @Test func aReaderThatHasEnough() async throws {
      let apus = programFolder + "/apus"
      let mark = Mark()
      let run = try await runProgram(
        "/bin/sh", ["sh", "-c", "\(apus) launch --grace-period 100 -n 2 -- yes | head -n 1"],
        environment: [mark.entry])
      #expect(run.output == "y\n" && run.errors == "" && run.status == .exited(0))
      #expect(await mark.left() == [])
    }

    /// What is printed is not lost because it is read slowly.
    @Test func aSlowReader() async throws {
      let apus = programFolder + "/apus"
      let script = "\(apus) launch -n 2 -- head -c 900000 /dev/zero | (sleep 1; wc -c)"
      let run = try await runProgram("/bin/sh", ["sh", "-c", script])
      #expect(run.output.contains("1800002"), "\(run.output)")
    }

    @Test func help() async throws {
      let apus = programFolder + "/apus"
      for arguments in [["--help"], ["launch", "--help"], ["launch", "-n", "2", "-h"], ["help", "launch"]] {
        let run = try await runProgram(apus, [apus] + arguments)
        #expect(run.output.contains("USAGE: ") && run.errors == "" && run.status == .exited(0))
      }
      let version = try await runProgram(apus, [apus, "--version"])
      #expect(version.output.split(separator: ".").count == 3)
    }

    @Test func doctor() async throws {
      let apus = programFolder + "/apus"
      let run = try await runProgram(apus, [apus, "doctor"])
      #expect(run.status == .exited(0) && run.errors == "")
      for part in ["Processors", "to use", "Memory", "Kernel", "memfd", "pidfd"] {
        #expect(run.output.contains(part))
      }
    }
  }
}
