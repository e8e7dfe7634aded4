// Starting a program, much as glibc's posix_spawn does it, with what that lacks: a pidfd without a race,
// PR_SET_PDEATHSIG, and a descriptor table that holds the targets and nothing else.
//
//   parent: block all signals -> clone(CLONE_VM | CLONE_VFORK) .......... sleeps ........ -> result
//   child:                       \-> group, parent, signals, descriptors, directory, exec or error
//
// The child runs in the parent's memory while the calling thread sleeps; the parent's other threads run on.
// So the child calls nothing that allocates or locks: a lock that it held when it is killed would stay locked
// in the parent. That includes glibc's sigaction (from 2.41 on it takes a lock for SIGABRT; swift-subprocess
// issue 374 is the deadlock) and the sanitizers' interceptors (ThreadSanitizer's `_exit` sleeps for a second
// and ends the sanitizer, which both share); hence the raw system calls below.

#if defined(__linux__)

// First of all, or the headers hide clone and waitid's extensions.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_entry.h"
#include "apus_spawn.h"

#include "apus_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define STACK_BYTES (64 * 1024)
#define KERNEL_SIGNALS 64
#define KERNEL_SIGSET_BYTES (KERNEL_SIGNALS / 8)

#if defined(__GLIBC__)
// ThreadSanitizer intercepts `clone` as if it were a fork and would reset its own state, which the child
// shares with the parent. glibc's other name for it is not intercepted.
extern int __clone(int (*)(void *), void *, int, void *, ...);
#define clone_call __clone
#else
#define clone_call clone
#endif

#define RUNS_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

struct launch {
  const struct apus_spawn_request *request;
  pid_t parent;
  /// Room for one number a pair, so that the child need not allocate.
  int *moved;
  /// The first number above all targets, and above the standard streams.
  int floor;
  /// Written by the child, read by the parent after the child has gone or called exec.
  volatile int error;
  volatile int step;
};

/// Handlers point into the parent's image, and would run in the shared memory once the mask is lifted.
///
/// Signals that were ignored when the program was started stay ignored (nohup): what the program has changed since then is
/// its own matter, or children would differ by when they were started. But not SIGPIPE: many a runtime ignores it for
/// itself, and filters (`yes | head`) that inherit that never end. Nor SIGCHLD: a daemon ignores it for its own children,
/// and a program that inherits that can't learn how those that it starts ended. Where nobody knows how it was at the start (the library
/// was loaded later), what is ignored now stays so.
RUNS_IN_CHILD static void reset_signals(const struct apus_spawn_request *request) {
  for (int number = 1; number <= KERNEL_SIGNALS; number++) {
    // The kernel's struct sigaction differs between architectures, but on all that Swift knows it begins with
    // the handler, it fits in here, and all zeros are SIG_DFL.
    uintptr_t action[8] = {0};
    if (syscall(SYS_rt_sigaction, number, NULL, action, KERNEL_SIGSET_BYTES) != 0) continue;
    uintptr_t handler = action[0];
    bool is_ignored = apus_entry_is_installed() ? apus_was_ignored_at_start(number) : handler == (uintptr_t)SIG_IGN;
    uintptr_t wanted = (uintptr_t)(is_ignored && number != SIGPIPE && number != SIGCHLD ? SIG_IGN : SIG_DFL);
    if (request->ignored_signals >> (number - 1) & 1) wanted = (uintptr_t)SIG_IGN;
    if (request->default_signals >> (number - 1) & 1) wanted = (uintptr_t)SIG_DFL;
    if (handler == wanted) continue;
    for (size_t word = 0; word < 8; word++) action[word] = 0;
    action[0] = wanted;
    syscall(SYS_rt_sigaction, number, action, NULL, KERNEL_SIGSET_BYTES);
  }
}

/// Marks descriptors close-on-exec one by one, for kernels before 5.11.
RUNS_IN_CHILD static void close_all_on_exec_slowly(void) {
  struct {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
  } *entry;
  char buffer[4096] __attribute__((aligned(8)));
  int listing = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing >= 0) {
    long length;
    while ((length = syscall(SYS_getdents64, listing, buffer, sizeof buffer)) > 0) {
      for (long at = 0; at < length; at += entry->length) {
        entry = (void *)(buffer + at);
        int number = 0;
        const char *digit = entry->name;
        while (*digit >= '0' && *digit <= '9') number = number * 10 + (*digit++ - '0');
        if (digit != entry->name && number > 2) syscall(SYS_fcntl, number, F_SETFD, FD_CLOEXEC);
      }
    }
    syscall(SYS_close, listing);
    if (length == 0) return;
  }
  // No /proc, or no descriptor left to list it with.
  struct rlimit limit = {0, 0};
  getrlimit(RLIMIT_NOFILE, &limit);
  int end = limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
  for (int number = 3; number < end; number++) syscall(SYS_fcntl, number, F_SETFD, FD_CLOEXEC);
}

RUNS_IN_CHILD static int map_descriptors(const struct launch *launch) {
  const struct apus_spawn_request *request = launch->request;
  // A source that has a number below the floor may be another pair's target: swaps and cycles are legal, so
  // those are moved out of the way before any target is written.
  for (size_t index = 0; index < request->descriptor_count; index++) {
    int source = request->descriptors[index].source;
    launch->moved[index] = source;
    if (source < launch->floor) {
      launch->moved[index] = (int)syscall(SYS_fcntl, source, F_DUPFD_CLOEXEC, launch->floor);
      // EINVAL: the floor itself is above RLIMIT_NOFILE.
      if (launch->moved[index] < 0) return errno == EINVAL ? EMFILE : errno;
    }
  }
  // Before the targets are made, so that they, and only they, survive exec. This leaves open until exec what
  // the parent's other threads opened without O_CLOEXEC; exec then closes it.
  if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) close_all_on_exec_slowly();
  for (size_t index = 0; index < request->descriptor_count; index++) {
    // Never equal: what was below the floor has been moved.
    if (syscall(SYS_dup3, launch->moved[index], request->descriptors[index].target, 0) < 0) {
      return errno == EBADF && syscall(SYS_fcntl, launch->moved[index], F_GETFD) >= 0 ? EMFILE : errno;
    }
  }
  return 0;
}

RUNS_IN_CHILD static void exit_child(void) {
  for (;;) syscall(SYS_exit_group, 127);
}

RUNS_IN_CHILD static int fail(struct launch *launch, int step, int error) {
  launch->step = step;
  launch->error = error;
  exit_child();
  return 127;
}

RUNS_IN_CHILD static int run_child(void *argument) {
  struct launch *launch = argument;
  const struct apus_spawn_request *request = launch->request;

  if ((request->flags & APUS_SPAWN_NEW_GROUP) && setpgid(0, 0) != 0) {
    fail(launch, APUS_SPAWN_STEP_GROUP, errno);
  }
  if ((request->flags & APUS_SPAWN_NEW_GROUP) && request->group_note) *request->group_note = getpid();
  if (request->flags & APUS_SPAWN_DIE_WITH_PARENT) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before that call; then nobody is left to send the signal, or to tell.
    if (getppid() != launch->parent) exit_child();
  }

  reset_signals(request);

  // Before a descriptor can lie on its number.
  if (request->working_directory == NULL && request->folder >= 0 && syscall(SYS_fchdir, request->folder) != 0 &&
      !request->is_in_folder) {
    fail(launch, APUS_SPAWN_STEP_DIRECTORY, errno);
  }

  int error = map_descriptors(launch);
  if (error != 0) fail(launch, APUS_SPAWN_STEP_DESCRIPTORS, error);

  if (request->working_directory != NULL && chdir(request->working_directory) != 0) {
    fail(launch, APUS_SPAWN_STEP_DIRECTORY, errno);
  }

  // The lowest priority is no error.
  if (request->nice != 0) syscall(SYS_setpriority, PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + request->nice);

  struct rlimit limit;
  if (request->descriptor_limit != 0 && syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0 &&
      request->descriptor_limit < limit.rlim_cur) {
    limit.rlim_cur = request->descriptor_limit;
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
  }

  // The mask survives exec. From here on a signal may end the child; the parent sees that as its exit.
  uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_BYTES);

  execve(request->path, request->argv, request->envp);
  return fail(launch, APUS_SPAWN_STEP_EXEC, errno);
}

static int start(struct launch *launch, void *stack_top, pid_t *pid, int *pidfd) {
  const int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
  // Kernels before 5.2 ignore CLONE_PIDFD and leave the number as it is; sandboxes may refuse it.
  *pidfd = -1;
  *pid = clone_call(run_child, stack_top, flags | CLONE_PIDFD, launch, pidfd, NULL, NULL);
  if (*pid < 0 && (errno == EINVAL || errno == ENOSYS)) {
    *pid = clone_call(run_child, stack_top, flags, launch, NULL, NULL, NULL);
  }
  if (*pid < 0) return errno;
  if (launch->error == 0) return 0;

  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) continue;
  if (*pidfd >= 0) close(*pidfd);
  *pidfd = -1;
  *pid = -1;
  return launch->error;
}

int apus_spawn(const struct apus_spawn_request *request, pid_t *pid, int *pidfd) {
  struct launch launch = {
    .request = request, .parent = getpid(), .floor = 3, .error = 0, .step = APUS_SPAWN_STEP_CLONE,
  };
  *pid = -1;
  *pidfd = -1;
  if (request->failed_step != NULL) *request->failed_step = APUS_SPAWN_STEP_DESCRIPTORS;
  if (request->descriptor_count > (size_t)INT_MAX / sizeof(int)) return EINVAL;
  for (size_t index = 0; index < request->descriptor_count; index++) {
    int target = request->descriptors[index].target;
    if (target < 0 || target == INT_MAX || request->descriptors[index].source < 0) return EBADF;
    if (target >= launch.floor) launch.floor = target + 1;
  }
  if (request->failed_step != NULL) *request->failed_step = APUS_SPAWN_STEP_CLONE;

  // From the bottom: a guard page, the stack, the scratch numbers. Stacks grow down on all that Swift knows.
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t scratch = (request->descriptor_count * sizeof(int) + page - 1) / page * page;
  size_t size = page + STACK_BYTES + scratch;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return errno;
  mprotect(memory, page, PROT_NONE);
  launch.moved = (int *)(memory + page + STACK_BYTES);

  // A handler of this process that ran in the child would write to this process's memory under its feet. The
  // raw call blocks glibc's internal signals too; pthread_sigmask would leave them out.
  uint64_t all = ~(uint64_t)0, before = 0;
  int cancellation = 0;
  apus_reserve_standard_streams();  // for the pidfd
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, KERNEL_SIGSET_BYTES);
  int error = start(&launch, memory + page + STACK_BYTES, pid, pidfd);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, KERNEL_SIGSET_BYTES);
  pthread_setcancelstate(cancellation, &cancellation);

  munmap(memory, size);
  if (error != 0 && request->failed_step != NULL) *request->failed_step = launch.step;
  return error;
}

#endif
