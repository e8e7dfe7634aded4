#define _GNU_SOURCE
#include "Interposed.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int skew;

void interposed_clock_is_set_back(void) { atomic_store(&skew, 3600); }

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = (int)syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += atomic_load(&skew);
  return result;
}
