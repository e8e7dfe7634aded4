import Apus
import ApusDisplays
import Glibc

// Sources/ApusDisplays/Documentation.docc/ApusDisplays.md
func showTheWork() async throws {
  let page = "/tmp/apus-articles-\(getpid()).html"
  defer { unlink(page) }

  let display = ProgressDisplay()
  let recorder = WorkRecorder("squares")
  let squares = try await withProcessPool(workers: 2) { pool in
    try await pool.map(0..<1000) { $0 * $0 }
  }
  display.finish()
  recorder.finish()
  print(recorder.summary)
  try recorder.writeReport(to: page)

  expect(squares.last, 998_001)
  expect(recorder.summary.contains("1000 tasks in "), true)
  expect(access(page, R_OK), 0)
}
