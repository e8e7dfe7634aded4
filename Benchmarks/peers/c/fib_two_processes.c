// The limit for the Fibonacci rows: two forked processes, the six calls split beforehand by their known
// costs, so that both halves are equal. Nothing is sent but the results.
//
//     fib_two_processes FROM DOWN-TO REPETITIONS  →  {"seconds": …, "count": 6, "sequential": …}

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Built with -fno-optimize-sibling-calls: two calls a level, as Swift's compiler makes of it.
__attribute__((noinline)) static long fib(long n) { return n <= 2 ? 1 : fib(n - 1) + fib(n - 2); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, count, sizeof *values, compare);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv) {
  int high = argc > 1 ? atoi(argv[1]) : 38, low = argc > 2 ? atoi(argv[2]) : 33;
  int repetitions = argc > 3 ? atoi(argv[3]) : 3, count = high - low + 1;
  if (count < 1 || count > 64 || repetitions < 1 || repetitions > 100) return 2;
  long *results = mmap(NULL, count * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (results == MAP_FAILED) return perror("mmap"), 1;

  // The largest first, each to the process with less to do: its cost is its result.
  int owner[64];
  double cost[64] = {0}, load[2] = {0};
  for (int i = 0; i < count; i++) {
    double a = 1, b = 1;
    for (int n = high - i; n > 2; n--) { double c = a + b; a = b; b = c; }
    cost[i] = b;
    owner[i] = load[1] < load[0];
    load[owner[i]] += cost[i];
  }

  if (fib(32) != 2178309) return 1;  // wakes a core
  double sequential[100], parallel[100];
  for (int r = 0; r < repetitions; r++) {
    long expected[64];
    double start = now();
    for (int i = 0; i < count; i++) expected[i] = fib(high - i);
    sequential[r] = now() - start;

    start = now();
    for (int p = 0; p < 2; p++) {
      pid_t child = fork();
      if (child < 0) return perror("fork"), 1;
      if (child == 0) {
        for (int i = 0; i < count; i++) if (owner[i] == p) results[i] = fib(high - i);
        _exit(0);
      }
    }
    for (int p = 0; p < 2; p++) wait(NULL);
    parallel[r] = now() - start;
    for (int i = 0; i < count; i++) if (results[i] != expected[i]) return fputs("wrong result\n", stderr), 1;
  }
  printf("{\"seconds\": %.9f, \"count\": %d, \"sequential\": %.9f}\n",
         median(parallel, repetitions), count, median(sequential, repetitions));
  return 0;
}
