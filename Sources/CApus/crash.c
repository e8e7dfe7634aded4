#define _GNU_SOURCE
#include "apus_crash.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "apus_futex.h"

static const int faults[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
enum { FAULTS = sizeof faults / sizeof *faults };

static struct sigaction before[FAULTS];
static uint64_t *crashed;
static int bell;

// Runs on whatever thread has the fault: system calls and plain stores only.
static void note(int signal, siginfo_t *info, void *context) {
  int error = errno;
  uint64_t now = apus_now(), one = 1;
  __atomic_store_n(crashed, now, __ATOMIC_RELEASE);
  (void)!write(bell, &one, sizeof one);
  errno = error;
  for (int i = 0; i < FAULTS; i++) {
    if (faults[i] != signal) continue;
    // It takes the handlers away, this one too: when it returns, the fault comes again and ends the process.
    if (before[i].sa_flags & SA_SIGINFO) {
      before[i].sa_sigaction(signal, info, context);
    } else {
      before[i].sa_handler(signal);
    }
  }
  // Nothing comes again of a signal that was sent (`kill`, `raise`): the process goes on, unless another thread has had a
  // fault meanwhile.
  if (info->si_code <= 0) __atomic_compare_exchange_n(crashed, &now, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void apus_note_crashes(void *when, int doorbell) {
  crashed = when;
  bell = doorbell;
  for (int i = 0; i < FAULTS; i++) {
    if (sigaction(faults[i], NULL, &before[i]) != 0) continue;
    if (!(before[i].sa_flags & SA_SIGINFO) &&
        (before[i].sa_handler == SIG_DFL || before[i].sa_handler == SIG_IGN)) {
      continue;
    }
    // The same mask and the same stack as the handler would have had.
    struct sigaction ours = before[i];
    ours.sa_sigaction = note;
    ours.sa_flags |= SA_SIGINFO;
    sigaction(faults[i], &ours, NULL);
  }
}
