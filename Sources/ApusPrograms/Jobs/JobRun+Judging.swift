import ApusSystem
import CApus

// What becomes of a try that is over.
extension JobRun {
  func over(_ job: Job, _ command: [ByteString], _ ending: JobEnding) {
    // One that was ended with the run has not failed: it is done when the run goes on.
    if ending.reason == .asked {
      progress.cutOff += 1
      tell(.taskCancelled, job, ending.slot, text: ending.description)
      return queue.add(job.output, number: job.number)
    }
    let isTriedAgain = isToBeTriedAgain(job, ending)
    note(job, command, ending, isLast: !isTriedAgain)
    if isTriedAgain {
      tell(.taskRetried, job, ending.slot, status: ending.status, text: ending.description)
      whenTriedAgain(job, ending)
      job.output?.clear()
      again.append((job, apus_now() + retryDelay(job)))
      return
    }
    if ending.isSuccess {
      progress.succeeded += 1
      tell(.taskFinished, job, ending.slot)
    } else {
      progress.failed += 1
      tell(.taskFailed, job, ending.slot, status: ending.status, text: ending.description)
      if progress.firstFailure == nil { progress.firstFailure = (job.label, ending) }
    }
    haltIfDue()
    // What has been shown makes room for more, so the halt comes before.
    queue.add(job.output, number: job.number)
    if let turn = queue.turn, let next = running[turn] { showInTurn(next) }
    whenOver(job, ending)
  }

  private func isToBeTriedAgain(_ job: Job, _ ending: JobEnding) -> Bool {
    guard !ending.isSuccess, !progress.isHalted, problem == nil else { return false }
    if ending.reason == .memoryLimit, options.retriesAlone {
      if job.runsAlone { return false }
      job.runsAlone = true
      return true
    }
    // The try that it has because of its memory is one more.
    return job.tries <= options.retries + (job.runsAlone ? 1 : 0)
  }

  private func note(_ job: Job, _ command: [ByteString], _ ending: JobEnding, isLast: Bool) {
    guard log != nil || options.results != nil else { return }
    let line = JobFacts.line(job, command, ending)
    do throws(ProgramProblem) {
      if isLast, let results = job.results {
        // Before the log says that it is done.
        do throws(FileError) { try results.commit(line) } catch {
          throw .file("results can't be kept: \(error)")
        }
      }
      try log?.note(line)
    } catch { fail(error) }
  }

  func tell(
    _ kind: Event.Kind, _ job: Job, _ slot: Int, process: Int32? = nil, status: ExitStatus? = nil,
    text: @autoclosure () -> String? = nil
  ) {
    events.publish(
      Event(
        kind, from: eventSource, worker: slot, process: process, status: status, task: job.number - 1,
        count: 1, text: text()))
  }

  /// Twice as long with each try, up to an hour.
  private func retryDelay(_ job: Job) -> UInt64 {
    let (delay, overflow) = options.retryDelay.multipliedReportingOverflow(
      by: 1 << UInt64(min(job.tries - 1, 40)))
    let most = max(options.retryDelay, 3600 * 1_000_000_000)
    return overflow ? most : min(delay, most)
  }

  private func haltIfDue() {
    guard let halt = options.halt, !progress.isHalted else { return }
    let count = halt.cause == .failures ? progress.failed : progress.succeeded
    let isDue =
      halt.count.map { count >= $0 }
      ?? (progress.over >= 3 && Double(count) >= halt.fraction! * Double(progress.over))
    guard isDue else { return }
    progress.hasGivenUp = true
    if halt.isNow { end(.asked) } else { self.halt() }
  }
}
