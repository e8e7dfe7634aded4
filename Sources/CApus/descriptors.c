#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void apus_reserve_standard_streams(void) {
  for (int stream = 0; stream <= 2; stream++) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    // Reading and writing an O_PATH descriptor fails with EBADF, as it did before. Not a folder where there is another
    // file: with one, `openat` and `fchdir` lead out of a later chroot.
    int number = open("/dev/null", O_PATH | O_CLOEXEC);
    if (number < 0) number = open("/", O_PATH | O_CLOEXEC);
    // Another thread has been here.
    if (number > 2) close(number);
  }
}

int apus_move_high(int descriptor) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return descriptor;
  // Not higher than that: the kernel's table of descriptors grows with the highest.
  int end = limit.rlim_cur > 1024 ? 1024 : (int)limit.rlim_cur;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, end - end / 4);
  if (moved < 0) return descriptor;
  close(descriptor);
  return moved;
}

int apus_pipe(int ends[2]) {
  apus_reserve_standard_streams();
  return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
}

int apus_socket_pair(int ends[2]) {
  apus_reserve_standard_streams();
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
}

int apus_eventfd(unsigned initial_value) {
  apus_reserve_standard_streams();
  int number = eventfd(initial_value, EFD_CLOEXEC | EFD_NONBLOCK);
  return number >= 0 ? number : -errno;
}

bool apus_is_terminal_master(int descriptor) {
  unsigned number;
  return ioctl(descriptor, TIOCGPTN, &number) == 0;
}

bool apus_is_memory_device(dev_t device) { return major(device) == 1; }

int apus_nothing(void) {
  apus_reserve_standard_streams();
  int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return number >= 0 ? number : -errno;
}

#endif
