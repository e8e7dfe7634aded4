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
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char **apus_environment(void) { return environ; }

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4
#endif

int apus_wait(pid_t pid, int pidfd, int options, struct apus_exit *result) {
  // The number, since glibc before 2.36 has no P_PIDFD.
  const idtype_t by_pidfd = (idtype_t)3;
  siginfo_t info;
  int failed;
  do {
    info.si_pid = 0;
    failed = pidfd >= 0 ? waitid(by_pidfd, (id_t)pidfd, &info, options) : -1;
    // EINVAL: a kernel that makes pidfds (5.2) but cannot wait for them (5.4).
    if (pidfd < 0 || (failed && errno == EINVAL)) failed = waitid(P_PID, (id_t)pid, &info, options);
  } while (failed && errno == EINTR);
  result->how = 0;
  result->value = 0;
  if (failed) return errno;
  if (info.si_pid != 0) {
    result->how = info.si_code;
    result->value = info.si_status;
  }
  return 0;
}

int apus_signal(pid_t pid, int pidfd, int signal) {
  if (pidfd >= 0) {
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0) return 0;
    if (errno != ENOSYS) return errno;
  }
  return kill(pid, signal) == 0 ? 0 : errno;
}

int apus_signal_group(pid_t pid, int pidfd, int signal) {
  if (pidfd >= 0) {
    // From Linux 6.9. It means the group that this very process led, even when the number is reused.
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0) return 0;
    if (errno == ESRCH) return ESRCH;
    // If somebody reaped the child behind our back, its number may be anybody's by now.
    if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) != 0 && errno == ESRCH) return ESRCH;
  }
  return kill(-pid, signal) == 0 ? 0 : errno;
}

int apus_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }

int apus_eventfd(unsigned initial_value) {
  int number = eventfd(initial_value, EFD_CLOEXEC | EFD_NONBLOCK);
  return number >= 0 ? number : -errno;
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
