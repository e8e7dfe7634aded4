// The floor for running a command again and again: `posix_spawn` and `waitpid`, so many at a time, and nothing else.
//
//     spawn_loop COUNT AT_A_TIME COMMAND [ARGUMENT …]  →  {"seconds": …, "count": COUNT}

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  int count = argc > 3 ? atoi(argv[1]) : 0, width = argc > 3 ? atoi(argv[2]) : 0;
  if (count < 1 || width < 1) return 2;
  double start = now();
  for (int started = 0, ended = 0; ended < count;) {
    if (started < count && started - ended < width) {
      pid_t child;
      if (posix_spawn(&child, argv[3], NULL, NULL, argv + 3, environ) != 0) return perror(argv[3]), 1;
      started++;
      continue;
    }
    int status;
    if (wait(&status) < 0 || status != 0) return fprintf(stderr, "%s: status %x\n", argv[3], status), 1;
    ended++;
  }
  printf("{\"seconds\": %.9f, \"count\": %d}\n", now() - start, count);
  return 0;
}
