// The limit for one call and back: two processes, two single-producer rings in shared memory, eight bytes
// each way, and nothing else. It waits as the pool does: a few spins, then sched_yield for a bounded time,
// then a futex. Not pinned, since the pool is not.
//
//     ring COUNT  →  {"seconds": …, "count": COUNT}

#define _GNU_SOURCE
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { slots = 1024, spins = 50, yield_nanoseconds = 50000, batches = 8 };

typedef struct {
  _Alignas(64) _Atomic uint32_t tail;  // written by the producer
  _Alignas(64) _Atomic uint32_t head;  // written by the consumer
  _Alignas(64) _Atomic uint32_t asleep;
  _Alignas(64) uint64_t slot[slots];
} Ring;

static uint64_t nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// The ring is never full here: one message is under way at a time.
static void send(Ring *ring, uint64_t value) {
  uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  ring->slot[tail % slots] = value;
  atomic_store_explicit(&ring->tail, tail + 1, memory_order_seq_cst);
  // Sequentially consistent with the store and the load in `receive`: one of the two sees the other.
  if (atomic_load_explicit(&ring->asleep, memory_order_seq_cst))
    syscall(SYS_futex, &ring->tail, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint64_t receive(Ring *ring) {
  uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  uint64_t deadline = 0;
  for (unsigned turn = 0; atomic_load_explicit(&ring->tail, memory_order_acquire) == head; turn++) {
    if (turn < spins) {
      relax();
    } else if (deadline == 0) {
      deadline = nanoseconds() + yield_nanoseconds;
    } else if (nanoseconds() < deadline) {
      sched_yield();
    } else {
      atomic_store_explicit(&ring->asleep, 1, memory_order_seq_cst);
      if (atomic_load_explicit(&ring->tail, memory_order_seq_cst) == head)
        syscall(SYS_futex, &ring->tail, FUTEX_WAIT, head, NULL, NULL, 0);
      atomic_store_explicit(&ring->asleep, 0, memory_order_relaxed);
    }
  }
  uint64_t value = ring->slot[head % slots];
  atomic_store_explicit(&ring->head, head + 1, memory_order_release);
  return value;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
  if (count == 0) return 2;
  Ring *rings = mmap(NULL, 2 * sizeof(Ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (rings == MAP_FAILED) return perror("mmap"), 1;
  pid_t child = fork();
  if (child < 0) return perror("fork"), 1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) send(&rings[1], receive(&rings[0]) + 1);
  }
  uint64_t times[batches];
  for (int batch = 0; batch < batches; batch++) {
    uint64_t start = nanoseconds();
    for (uint64_t i = 0; i < count; i++) {
      send(&rings[0], i);
      if (receive(&rings[1]) != i + 1) return fputs("wrong value\n", stderr), 1;
    }
    times[batch] = nanoseconds() - start;
  }
  kill(child, SIGKILL);
  qsort(times + 1, batches - 1, sizeof *times, compare);  // the first warmed up
  printf("{\"seconds\": %.9f, \"count\": %llu}\n", times[1 + (batches - 1) / 2] * 1e-9, (unsigned long long)count);
  return 0;
}
