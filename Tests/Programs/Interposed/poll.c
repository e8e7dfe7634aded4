#define _GNU_SOURCE
#include "Interposed.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int fills;

void interposed_pipes_are_filled(void) { atomic_store(&fills, 1); }

static void fill(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISFIFO(status.st_mode)) return;
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  int other = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  static const char page[4096];
  while (other >= 0 && write(other, page, sizeof page) > 0) continue;
  if (other >= 0) close(other);
}

__attribute__((visibility("default"))) int poll(struct pollfd *waiting, nfds_t count, int milliseconds) {
  struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  int ready = (int)syscall(SYS_ppoll, waiting, count, milliseconds < 0 ? NULL : &limit, NULL, 0);
  if (ready == 1 && count == 1 && waiting->revents == POLLOUT && atomic_load(&fills)) fill(waiting->fd);
  return ready;
}
