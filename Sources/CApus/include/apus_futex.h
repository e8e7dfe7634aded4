// Sleeping on a word of memory, across processes, and the barrier that lets the fast side do without fences.
#ifndef APUS_FUTEX_H
#define APUS_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

/// Sleeps while `*word == expected`, at most `timeout_ns` (negative: for ever). Returns on a wake, a
/// signal, a timeout or a word that has changed: the caller looks again in every case.
void apus_futex_wait(const void *word, uint32_t expected, int64_t timeout_ns);

/// Wakes up to `count` sleepers on `word`, in whatever process they are.
void apus_futex_wake(const void *word, int count);

/// Makes this process one whose threads `apus_barrier_all` stops. False where the kernel has none.
bool apus_barrier_register(void);

/// A full memory barrier on every running thread of every registered process (membarrier(2),
/// GLOBAL_EXPEDITED). With it the side that runs a million times needs no fence of its own.
bool apus_barrier_all(void);

/// Tells the processor that this is a spin loop.
static inline int apus_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
  return 0;
}

/// CLOCK_MONOTONIC in nanoseconds.
uint64_t apus_now(void);

#endif
