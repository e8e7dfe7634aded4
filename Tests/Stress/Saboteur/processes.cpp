// Looking at and signalling processes; memory that several of them share.
#include "saboteur.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

static bool read_whole(const char *format, int pid, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, format, pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, text, size - 1);
  close(file);
  text[length > 0 ? length : 0] = 0;
  return length > 0;
}

extern "C" long stress_resident(int pid) {
  char text[128];
  long pages = 0;
  if (!read_whole("/proc/%d/statm", pid, text, sizeof text) || sscanf(text, "%*d %ld", &pages) != 1) return -1;
  return pages * sysconf(_SC_PAGESIZE);
}

extern "C" uint64_t stress_signal_worker(int pid, int signal) {
  int process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return 0;
  // What /proc says now is of the process that `process` means, or else that is dead and the signal fails.
  char text[1024], arguments[4096];
  int parent = 0;
  unsigned long long started = 0;
  char state = 'Z';
  const char *end = read_whole("/proc/%d/stat", pid, text, sizeof text) ? strrchr(text, ')') : nullptr;
  bool is_ours = end &&
      sscanf(end + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
             &parent, &started) == 3 && parent == getpid() && state != 'Z' && state != 'X' &&
      read_whole("/proc/%d/cmdline", pid, arguments, sizeof arguments);
  if (is_ours) {
    const char *mark = arguments + strlen(arguments) + 1;
    is_ours = strcmp(mark, "--apus-worker") == 0;
  }
  long failed = is_ours ? syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0) : -1;
  close(process);
  return failed == 0 ? (started ? started : 1) : 0;
}

extern "C" void stress_end_with_script(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

extern "C" uint8_t stress_count(uint8_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST); }
extern "C" void stress_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
extern "C" uint64_t stress_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

extern "C" void stress_spin(long nanoseconds) {
  timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < nanoseconds);
}

extern "C" void stress_rest(long nanoseconds) {
  prctl(PR_SET_TIMERSLACK, 1);
  timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += (end.tv_nsec + nanoseconds) / 1000000000L;
  end.tv_nsec = (end.tv_nsec + nanoseconds) % 1000000000L;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) != 0) {}
}
