// What Swift's Glibc module does not show of children, descriptors, threads and processors.

#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

char **apus_environment(void) { return environ; }

bool apus_is_delegated(const char *path) {
  char value;
  return (getxattr(path, "user.delegate", &value, 1) == 1 && value == '1') ||
         (getxattr(path, "trusted.delegate", &value, 1) == 1 && value == '1');
}

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4
#endif

// From Linux 6.15 on a pidfd tells how its process ended, also when somebody else has reaped it. The first version of
// the kernel's struct: what we need is in it.
struct pidfd_info {
  uint64_t mask, cgroup;
  uint32_t numbers[11];
  int32_t exit_code;
};
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)
#define PIDFD_INFO_EXIT (1u << 3)

/// How a child ended that we did not reap ourselves: SIGCHLD is ignored, or another part of the program waits for any
/// child. False where that can't be known any more.
static int ask_pidfd(int pidfd, struct apus_exit *result) {
  for (int look = 0; look < 10000; look++) {
    struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
    if (ioctl(pidfd, PIDFD_GET_INFO, &info) != 0) return 0;
    if (info.mask & PIDFD_INFO_EXIT) {
      int status = info.exit_code;
      result->how = WIFEXITED(status) ? CLD_EXITED : WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
      result->value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
      return 1;
    }
    // The kernel is just letting it go: we were told of its end a moment before it is written down.
    sched_yield();
  }
  return 0;
}

static uint64_t nanoseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

/// glibc's `waitid` does not ask for what the child has used.
static int wait_with_usage(idtype_t type, id_t id, siginfo_t *info, int options, struct rusage *usage) {
  return (int)syscall(SYS_waitid, type, id, info, options, usage);
}

int apus_wait(pid_t pid, int pidfd, int options, struct apus_exit *result) {
  // The number, since glibc before 2.36 has no P_PIDFD.
  const idtype_t by_pidfd = (idtype_t)3;
  siginfo_t info;
  struct rusage usage;
  int failed;
  do {
    info.si_pid = 0;
    failed = pidfd >= 0 ? wait_with_usage(by_pidfd, (id_t)pidfd, &info, options, &usage) : -1;
    // EINVAL: a kernel that makes pidfds (5.2) but cannot wait for them (5.4). EBADF: other code has closed it.
    if (pidfd < 0 || (failed && (errno == EINVAL || errno == EBADF)))
      failed = wait_with_usage(P_PID, (id_t)pid, &info, options, &usage);
  } while (failed && errno == EINTR);
  *result = (struct apus_exit){0};
  if (failed) {
    int error = errno;
    return error == ECHILD && pidfd >= 0 && ask_pidfd(pidfd, result) ? 0 : error;
  }
  if (info.si_pid != 0) {
    result->how = info.si_code;
    result->value = info.si_status;
    result->user_time = nanoseconds(usage.ru_utime);
    result->system_time = nanoseconds(usage.ru_stime);
    result->peak_memory = (uint64_t)usage.ru_maxrss * 1024;
  }
  return 0;
}

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int apus_pidfd_open(pid_t pid) {
  int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
  return descriptor < 0 ? -errno : descriptor;
}

bool apus_is_pidfd(int descriptor) {
  siginfo_t info;
  return !waitid((idtype_t)3, (id_t)descriptor, &info, WEXITED | WNOHANG | WNOWAIT) || errno != EBADF;
}

/// Whether a child's number is still its own. It is anybody's once the child is reaped, which somebody else may have
/// done: SIGCHLD is ignored, or another part of the program waits for any child.
static int is_unreaped(pid_t pid) {
  siginfo_t info;
  int failed;
  do failed = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
  while (failed && errno == EINTR);
  return !failed;
}

int apus_signal(pid_t pid, int pidfd, int signal) {
  if (pidfd >= 0) {
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0) return 0;
    // Not a pidfd, but what another part of the program has put in its place: the child's number is left.
    if (errno != ENOSYS && errno != EBADF && errno != EINVAL) return errno;
  }
  if (!is_unreaped(pid)) return ESRCH;
  return kill(pid, signal) == 0 ? 0 : errno;
}

int apus_signal_group(pid_t pid, int pidfd, int signal) {
  if (pidfd >= 0) {
    // From Linux 6.9. It means the group that this very process led, even when the number is reused.
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0) return 0;
    if (errno == ESRCH) return ESRCH;
  }
  if (!is_unreaped(pid)) return ESRCH;
  return kill(-pid, signal) == 0 ? 0 : errno;
}

int apus_signal_left_group(pid_t pid, int pidfd, int signal) {
  if (pidfd >= 0) {
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EBADF) return errno;
  }
  return kill(-pid, signal) == 0 ? 0 : errno;
}

int apus_allowed_processors(void) {
  // The kernel refuses a mask shorter than its own, and a plain cpu_set_t ends at 1024 processors.
  for (size_t processors = CPU_SETSIZE; processors <= CPU_SETSIZE * 1024; processors *= 2) {
    cpu_set_t *mask = CPU_ALLOC(processors);
    if (mask == NULL) return 0;
    size_t size = CPU_ALLOC_SIZE(processors);
    CPU_ZERO_S(size, mask);
    int failed = sched_getaffinity(0, size, mask);
    int error = errno;
    int count = failed ? 0 : CPU_COUNT_S(size, mask);
    CPU_FREE(mask);
    if (!failed || error != EINVAL) return count;
  }
  return 0;
}

void apus_set_parent_death_signal(int signal) { prctl(PR_SET_PDEATHSIG, signal); }

void apus_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

#endif
