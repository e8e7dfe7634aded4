// What all measurements between ranks share: how often the work is done, and the median, printed by rank 0.
//
//     {"seconds": …, "count": …, "bytes": …}    so long for so many messages or operations of so many bytes in all

#pragma once
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int rank, size;

static inline double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

// The level that Apus asks for: one thread at a time.
static inline void start(int *argc, char ***argv, int ranks) {
  int provided;
  MPI_Init_thread(argc, argv, MPI_THREAD_SERIALIZED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size < ranks) {
    fprintf(stderr, "%d ranks are needed, there are %d\n", ranks, size);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
}

static inline void *pages(size_t bytes) {
  void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!memory) MPI_Abort(MPI_COMM_WORLD, 2);
  return memset(memory, 1, bytes);
}

static inline double batch(void (*work)(long), long rounds) {
  MPI_Barrier(MPI_COMM_WORLD);
  double start = now(CLOCK_MONOTONIC);
  work(rounds);
  return now(CLOCK_MONOTONIC) - start;
}

static inline int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Batches of 2 ms and more, for 0.6 s, after 0.1 s to warm up: each rank does as many as rank 0 finds right.
static inline void measure(void (*work)(long), long count, long bytes) {
  enum { most = 301, least = 11 };
  long plan[2] = {1, 0};  // rounds a batch, batches
  double warm = now(CLOCK_MONOTONIC) + 0.1;
  while (plan[1] == 0) {
    // The best of three: one that waited for a processor says nothing.
    double time = batch(work, plan[0]);
    for (int i = 0; i < 2; i++) {
      double again = batch(work, plan[0]);
      if (again < time) time = again;
    }
    if (time < 2e-3) plan[0] *= 2;
    else if (now(CLOCK_MONOTONIC) < warm) plan[0] = 1;
    else plan[1] = 0.6 / time < least ? least : 0.6 / time > most ? most : (long)(0.6 / time);
    MPI_Bcast(plan, 2, MPI_LONG, 0, MPI_COMM_WORLD);
  }
  double times[most];
  for (long i = 0; i < plan[1]; i++) times[i] = batch(work, plan[0]);
  qsort(times, plan[1], sizeof *times, ascending);
  if (rank == 0)
    printf("{\"seconds\": %.9f, \"count\": %ld, \"bytes\": %ld}\n", times[plan[1] / 2], plan[0] * count,
           plan[0] * count * bytes);
}
