// What a fork of this process must not do with what it has a copy of, or shares.
#ifndef APUS_FORK_H
#define APUS_FORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// How many forks lie between the process that this memory came from and this one: a number to compare with an
/// earlier one. Forks without libc (a bare `clone`) are not counted.
extern uint64_t apus_forks;
static inline uint64_t apus_fork_count(void) { return apus_forks; }

/// Has forks counted from now on; so have the two below.
void apus_fork_watch(void);

/// Has each fork happen while the mutex is free of other threads, so that a fork finds what it guards whole, and the
/// mutex free. `*waiting` counts a fork that waits for it. Until `apus_fork_forget_mutex`.
void apus_fork_guard_mutex(pthread_mutex_t *mutex, intptr_t *waiting);
void apus_fork_forget_mutex(pthread_mutex_t *mutex);

/// Has each fork (of the calling thread alone, or of any) get a copy of its own of the mapping of `apus_memory_map`
/// with two rings, in which nobody else reads and writes, and in it the 8-byte words at `zero` and `one` set to those.
/// One mapping a thread, and one of any thread.
void apus_fork_detaches(void *base, size_t head, size_t ring, size_t zero, size_t one, bool of_any_thread);

#endif
