// A process and its guardian: each ends what the other one leaves behind when it is killed.
//
// Orphans become children of their nearest ancestor that adopts them (PR_SET_CHILD_SUBREAPER). Of a runner that is killed
// they become the guardian's, which is its parent. The guardian itself starts nothing: when it is killed, the runner is still
// there. So only whoever kills both at once leaves something, and even then the runner's own children die with it.

#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_guardian.h"

#include "apus_descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static sigset_t set_of(uint64_t signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int number = 1; number <= 64; number++) {
    if (signals >> (number - 1) & 1) sigaddset(&set, number);
  }
  return set;
}

static void adopt_orphans(void) { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

/// Children that this process had before it became a guardian (`server & exec apus run …`): not ours to end.
static pid_t spared[256];
static int spared_count;

static bool is_spared(pid_t child) {
  for (int i = 0; i < spared_count; i++) {
    if (spared[i] == child) return true;
  }
  return false;
}

static void spare(pid_t child) {
  if (spared_count < (int)(sizeof spared / sizeof *spared)) spared[spared_count++] = child;
}

static void kill_child(pid_t child) {
  pid_t group = getpgid(child);
  if (group > 1 && group != getpgrp()) kill(-group, SIGKILL);
  kill(child, SIGKILL);
}

/// Calls `visit` with those children of the calling thread that are not spared. How many there are; -1 where the kernel
/// lists none.
static int visit_listed_children(void (*visit)(pid_t)) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
  FILE *list = fopen(path, "re");
  if (!list) return -1;
  int child, count = 0;
  while (fscanf(list, "%d", &child) == 1) {
    if (is_spared(child)) continue;
    count++;
    visit(child);
  }
  fclose(list);
  return count;
}

static pid_t parent_of(const char *process) {
  char path[300], text[512];
  snprintf(path, sizeof path, "/proc/%s/stat", process);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  // The name before it may hold anything.
  char *end = strrchr(text, ')');
  int parent = 0;
  return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/// The same for children of other threads, and for kernels that list none.
static int visit_found_children(void (*visit)(pid_t)) {
  DIR *processes = opendir("/proc");
  if (!processes) return 0;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(processes));) {
    pid_t process = (pid_t)atoi(entry->d_name);
    if (process <= 1 || parent_of(entry->d_name) != getpid() || is_spared(process)) continue;
    count++;
    visit(process);
  }
  closedir(processes);
  return count;
}

static long long milliseconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

int apus_end_children(int milliseconds) {
  long long end = milliseconds_now() + milliseconds;
  for (int round = 0;; round++) {
    int left = visit_listed_children(kill_child);
    // Those of other threads are looked for before it is believed that nobody is left.
    if (left <= 0 || round > 2) left = visit_found_children(kill_child);
    if (left == 0) return 0;
    pid_t ended;
    do ended = waitpid(-1, NULL, WNOHANG);
    while (ended > 0 || (ended < 0 && errno == EINTR));
    if (ended < 0) return 0;
    if (milliseconds_now() >= end) return left;
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  }
}

static const pid_t *known_children;
static size_t known_count;

static void reap_unknown(pid_t child) {
  for (size_t i = 0; i < known_count; i++) {
    if (known_children[i] == child) return;
  }
  waitpid(child, NULL, WNOHANG);
}

void apus_reap_orphans(const pid_t *known, size_t count) {
  known_children = known;
  known_count = count;
  visit_listed_children(reap_unknown);
}

/// Ends this process as another one has ended.
static void end_like(int status) {
  if (WIFSIGNALED(status)) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int number = WTERMSIG(status);
    signal(number, SIG_DFL);
    sigset_t set = set_of((uint64_t)1 << (number - 1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    _exit(128 + number);
  }
  _exit(WEXITSTATUS(status));
}

/// What has become of the runner.
static void look_after(pid_t runner) {
  int status;
  pid_t found;
  while ((found = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
    if (found != runner) continue;
    if (WIFSTOPPED(status)) {
      // Whoever started us waits for us to stop, and continues us both.
      raise(SIGSTOP);
      kill(runner, SIGCONT);
      continue;
    }
    apus_end_children(2000);
    end_like(status);
  }
}

static void guard(pid_t runner, int commands, const sigset_t *set) {
  prctl(PR_SET_NAME, "apus-guardian");
  // Whoever writes to us, or reads us, must see the end of the runner, not ours.
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int stream = 0; stream <= 2 && nothing >= 0; stream++) dup2(nothing, stream);
  int kept = dup2(commands, 3) == 3 ? 3 : commands;
  fcntl(kept, F_SETFL, O_NONBLOCK);
  if (kept == 3) syscall(SYS_close_range, 4u, ~0u, 0);
  for (;;) {
    siginfo_t info;
    int number = sigwaitinfo(set, &info);
    if (number == SIGCHLD) look_after(runner);
    if (number <= 0 || number == SIGCHLD) continue;
    char byte = (char)number;
    if (write(kept, &byte, 1) < 0) continue;
  }
}

int apus_guard(uint64_t signals, bool has_own_group) {
  int ends[2];
  int error = apus_pipe(ends);
  if (error) return -error;
  sigset_t set = set_of(signals | (uint64_t)1 << (SIGCHLD - 1)), before;
  // A broken pipe is the runner's end, which is told by SIGCHLD.
  sigset_t blocked = set;
  sigaddset(&blocked, SIGPIPE);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  adopt_orphans();
  visit_listed_children(spare);
  pid_t runner = fork();
  if (runner > 0) {
    close(ends[0]);
    guard(runner, ends[1], &set);
  }
  error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  close(ends[1]);
  if (runner == 0) {
    spared_count = 0;
    adopt_orphans();
    if (has_own_group) setpgid(0, 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return apus_move_high(ends[0]);
  }
  close(ends[0]);
  return -error;
}

int apus_signal_descriptor(uint64_t signals) {
  sigset_t set = set_of(signals);
  apus_reserve_standard_streams();
  int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0) return -errno;
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  return apus_move_high(descriptor);
}

int apus_next_signal(int descriptor) {
  struct signalfd_siginfo info;
  ssize_t length;
  do length = read(descriptor, &info, sizeof info);
  while (length < 0 && errno == EINTR);
  return length == sizeof info ? (int)info.ssi_signo : 0;
}

#endif
