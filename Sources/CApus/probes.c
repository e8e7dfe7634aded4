#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_probe.h"

#include "apus_memory.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int apus_probe_pidfd(void) {
  int descriptor = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (descriptor < 0) return errno;
  close(descriptor);
  return 0;
}

int apus_probe_memfd(void) {
  int descriptor = apus_memory_create("apus-probe", 4096);
  if (descriptor < 0) return -descriptor;
  close(descriptor);
  return 0;
}

int apus_probe_membarrier(void) {
  const int query = 0, global_expedited = 1 << 1;
  long commands = syscall(SYS_membarrier, query, 0, 0);
  if (commands < 0) return errno;
  return commands & global_expedited ? 0 : ENOSYS;
}

static volatile int marked = 0x41505553;

static pid_t sleeping_child(void) {
  pid_t child = fork();
  while (child == 0) pause();
  return child;
}

static void end_child(pid_t child) {
  kill(child, SIGKILL);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

/// The exit code of a child that ends by itself.
static int result_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

// Both are forks of this process, so that the variable has the same address in both.
int apus_probe_process_memory(void) {
  pid_t first = sleeping_child();
  if (first < 0) return errno;
  pid_t second = fork();
  if (second == 0) {
    int copy = 0;
    struct iovec here = {.iov_base = &copy, .iov_len = sizeof copy};
    struct iovec there = {.iov_base = (void *)&marked, .iov_len = sizeof copy};
    ssize_t count = process_vm_readv(first, &here, 1, &there, 1, 0);
    _exit(count < 0 ? errno : count != sizeof copy || copy != marked ? EIO : 0);
  }
  int error = second < 0 ? errno : result_of(second);
  end_child(first);
  return error;
}

int apus_probe_namespaces(void) {
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : errno);
  return result_of(child);
}

#endif
