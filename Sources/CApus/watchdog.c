// A small process that ends what this one has left behind when it was killed.

#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_spawn.h"

#include "apus_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// Runs in a fork: system calls alone.
static void watch(int lifeline, volatile int32_t *groups, size_t count) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  // Away from the terminal, whose signals are not for us, and from our parent's group, which may be killed.
  setsid();
  prctl(PR_SET_NAME, "apus-watchdog");
  // Whoever reads our parent's output must see its end when that is gone, not when we are.
  dup2(lifeline, 0);
  if (syscall(SYS_close_range, 1u, ~0u, 0) != 0) {
    for (int number = 1; number < 1024; number++) close(number);
  }
  char byte;
  while (read(0, &byte, 1) < 0 && errno == EINTR) continue;
  for (size_t index = 0; index < count; index++) {
    int32_t group = groups[index];
    if (group > 1) kill(-group, SIGKILL);
  }
  _exit(0);
}

int32_t *apus_watchdog_start(size_t count, pid_t *watchdog) {
  int32_t *groups =
      mmap(NULL, count * sizeof *groups, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (groups == MAP_FAILED) return NULL;
  int ends[2];
  if (apus_pipe(ends) == 0) {
    pid_t child = fork();
    if (child == 0) watch(ends[0], groups, count);
    close(ends[0]);
    // The writing end stays open until this process ends, however it ends.
    *watchdog = child;
    if (child > 0) return groups;
    close(ends[1]);
  }
  munmap(groups, count * sizeof *groups);
  return NULL;
}

void apus_watchdog_stop(pid_t watchdog) {
  kill(watchdog, SIGKILL);
  while (waitpid(watchdog, NULL, 0) < 0 && errno == EINTR) continue;
}

#endif
