// How long a command takes: started COUNT times, its output thrown away; the median.
//
//     command_time COUNT COMMAND [ARGUMENT …]  →  {"seconds": …, "count": 1}

#define _GNU_SOURCE
#include <fcntl.h>
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

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  int count = argc > 2 ? atoi(argv[1]) : 0;
  if (count < 1) return 2;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  double *times = malloc((count + 1) * sizeof *times);
  for (int i = 0; i <= count; i++) {
    double start = now();
    pid_t child;
    int status;
    if (posix_spawnp(&child, argv[2], &actions, NULL, argv + 2, environ) != 0) return perror(argv[2]), 1;
    waitpid(child, &status, 0);
    times[i] = now() - start;
    if (status != 0) return fprintf(stderr, "%s: status %x\n", argv[2], status), 1;
  }
  qsort(times + 1, count, sizeof *times, ascending);  // the first warmed up
  printf("{\"seconds\": %.9f, \"count\": 1}\n", times[1 + (count - 1) / 2]);
  return 0;
}
