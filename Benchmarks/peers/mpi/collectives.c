// One collective operation, over and over.
//
//     mpirun -n 4 collectives allReduce|allToAll|barrier BYTES      allToAll: for each rank

#include "measure.h"

static int count;
static char *from, *to;

static void barrier(long rounds) {
  while (rounds-- > 0) MPI_Barrier(MPI_COMM_WORLD);
}

static void allReduce(long rounds) {
  while (rounds-- > 0) MPI_Allreduce(from, to, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void allToAll(long rounds) {
  while (rounds-- > 0) MPI_Alltoall(from, count, MPI_DOUBLE, to, count, MPI_DOUBLE, MPI_COMM_WORLD);
}

int main(int argc, char **argv) {
  start(&argc, &argv, 1);
  const char *name = argc > 1 ? argv[1] : "";
  count = argc > 2 ? atoi(argv[2]) / 8 : 1;
  from = pages(8l * count * size);
  to = pages(8l * count * size);
  if (!strcmp(name, "barrier")) measure(barrier, 1, 0);
  else if (!strcmp(name, "allReduce")) measure(allReduce, 1, 8l * count);
  else if (!strcmp(name, "allToAll")) measure(allToAll, 1, 8l * count * size);
  else MPI_Abort(MPI_COMM_WORLD, 2);
  MPI_Finalize();
  return 0;
}
