#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_fork.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

uint64_t apus_forks = 0;

struct shared {
  char *base;
  size_t head, ring, zero, one;
};

static struct shared of_process;
static _Thread_local struct shared of_thread;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
struct guarded {
  pthread_mutex_t *mutex;
  intptr_t *waiting;
};
static struct {
  struct guarded *items;
  size_t count, room;
} mutexes;

// In the parent, before. Nobody who holds one of them waits for another, or for the registry.
static void before_fork(void) {
  pthread_mutex_lock(&registry);
  for (size_t index = 0; index < mutexes.count; index++) {
    struct guarded *item = &mutexes.items[index];
    if (pthread_mutex_trylock(item->mutex) == 0) continue;
    __atomic_fetch_add(item->waiting, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(item->mutex);
    __atomic_fetch_sub(item->waiting, 1, __ATOMIC_RELAXED);
  }
}

static void in_parent(void) {
  for (size_t index = mutexes.count; index-- > 0;) pthread_mutex_unlock(mutexes.items[index].mutex);
  pthread_mutex_unlock(&registry);
}

/// Only the page of words is copied: what the child still reads and writes in the rings, nobody looks at.
static void detach(const struct shared *shared) {
  if (!shared->base) return;
  char words[4096];
  size_t size = shared->head < sizeof words ? shared->head : sizeof words;
  memcpy(words, shared->base, size);
  uint64_t zero = 0, one = 1;
  memcpy(words + shared->zero, &zero, sizeof zero);
  memcpy(words + shared->one, &one, sizeof one);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  size_t total = shared->head + 4 * shared->ring;
  // Without memory for it the child would write to what its parent works with.
  if (mmap(shared->base, total, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) abort();
  memcpy(shared->base, words, size);
}

// The child may do nothing here that takes a lock or allocates: other threads of the parent may hold those of libc.
static void in_child(void) {
  apus_forks++;
  detach(&of_process);
  detach(&of_thread);
  in_parent();
}

static void install(void) { pthread_atfork(before_fork, in_parent, in_child); }

void apus_fork_watch(void) { pthread_once(&once, install); }

void apus_fork_guard_mutex(pthread_mutex_t *mutex, intptr_t *waiting) {
  apus_fork_watch();
  pthread_mutex_lock(&registry);
  if (mutexes.count == mutexes.room) {
    size_t room = mutexes.room ? 2 * mutexes.room : 16;
    struct guarded *items = realloc(mutexes.items, room * sizeof *items);
    if (!items) abort();
    mutexes.items = items;
    mutexes.room = room;
  }
  mutexes.items[mutexes.count++] = (struct guarded){mutex, waiting};
  pthread_mutex_unlock(&registry);
}

void apus_fork_forget_mutex(pthread_mutex_t *mutex) {
  pthread_mutex_lock(&registry);
  for (size_t index = 0; index < mutexes.count; index++) {
    if (mutexes.items[index].mutex != mutex) continue;
    mutexes.items[index] = mutexes.items[--mutexes.count];
    break;
  }
  pthread_mutex_unlock(&registry);
}

void apus_fork_detaches(void *base, size_t head, size_t ring, size_t zero, size_t one, bool of_any_thread) {
  apus_fork_watch();
  struct shared *shared = of_any_thread ? &of_process : &of_thread;
  *shared = (struct shared){.base = base, .head = head, .ring = ring, .zero = zero, .one = one};
}
