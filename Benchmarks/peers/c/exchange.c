// The limit for an allToAll on one machine: each process copies its own piece, and the kernel copies those of the others.
// Nothing is told but when to begin and when it is done.
//
//     exchange BYTES PROCESSES  →  {"seconds": …, "count": …, "bytes": …}      so many bytes to each

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { most = 64, spins = 1000 };

typedef struct {
  _Alignas(64) _Atomic long ready;
  _Alignas(64) _Atomic long done;
  pid_t process;
} Words;

static size_t count;
static int rank, size, processors;
static char *from, *to;
static Words *words;
static long rounds;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void await(_Atomic long *word, long round) {
  for (int looks = 0; atomic_load_explicit(word, memory_order_acquire) < round; looks++) {
    // Who has no processor of its own may be waiting for somebody who has none.
    if (size > processors || looks > spins) sched_yield();
#if defined(__x86_64__)
    else __builtin_ia32_pause();
#elif defined(__aarch64__)
    else __asm__ volatile("yield");
#endif
  }
}

static void copy(int peer) {
  struct iovec mine = {to + peer * count, count}, theirs = {from + rank * count, count};
  if (process_vm_readv(words[peer].process, &mine, 1, &theirs, 1, 0) == (ssize_t)count) return;
  perror("process_vm_readv");
  // With the first one all end.
  kill(words[0].process, SIGKILL);
}

static void exchange(void) {
  rounds++;
  atomic_store_explicit(&words[rank].ready, rounds, memory_order_release);
  memcpy(to + rank * count, from + rank * count, count);
  // Those first that are there.
  char got[most] = {0};
  got[rank] = 1;
  for (int left = size - 1; left > 0; left--) {
    int next = -1;
    for (int peer = 0; peer < size; peer++)
      if (!got[peer] && (next < 0 || atomic_load_explicit(&words[peer].ready, memory_order_acquire) >= rounds)) next = peer;
    await(&words[next].ready, rounds);
    copy(next);
    got[next] = 1;
  }
  atomic_store_explicit(&words[rank].done, rounds, memory_order_release);
  for (int peer = 0; peer < size; peer++) await(&words[peer].done, rounds);
}

static double batch(long length) {
  double start = now();
  for (long i = 0; i < length; i++) exchange();
  return now() - start;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
  size = argc > 2 ? atoi(argv[2]) : 0;
  if (count < 1 || size < 2 || size > most) return 2;
  processors = sysconf(_SC_NPROCESSORS_ONLN);
  words = mmap(NULL, most * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  // At the same addresses in all.
  from = aligned_alloc(4096, (size * count + 4095) / 4096 * 4096);
  to = aligned_alloc(4096, (size * count + 4095) / 4096 * 4096);
  if (words == MAP_FAILED || !from || !to) return perror("memory"), 1;
  words[0].process = getpid();
  pid_t children[most];
  for (int child = 1; child < size; child++) {
    if ((children[child] = fork()) < 0) return perror("fork"), 1;
    if (children[child] > 0) continue;
    rank = child;
    words[rank].process = getpid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != words[0].process) return 1;
    break;
  }
  memset(from, 1, size * count);
  memset(to, 1, size * count);
  // The others go along until they are ended.
  while (rank > 0) exchange();

  double warm = now() + 0.1;
  long length = 1;
  while (now() < warm || batch(length) < 2e-3)
    if (batch(length) < 2e-3) length *= 2;
  enum { batches = 301 };
  double times[batches];
  for (int i = 0; i < batches; i++) times[i] = batch(length);
  for (int child = 1; child < size; child++) kill(children[child], SIGKILL);
  qsort(times, batches, sizeof *times, ascending);
  printf("{\"seconds\": %.9f, \"count\": %ld, \"bytes\": %ld}\n", times[batches / 2], length,
         length * (long)count * size);
  return 0;
}
