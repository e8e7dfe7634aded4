// A receive that is blocked for some seconds: the processor time that it takes.
//
//     mpirun -n 2 blocked SECONDS  →  {"seconds": …, "count": 1, "cpu": …}

#include <unistd.h>
#include "measure.h"

int main(int argc, char **argv) {
  start(&argc, &argv, 2);
  int seconds = argc > 1 ? atoi(argv[1]) : 5;
  char byte = 0;
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank == 0) {
    double start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    MPI_Recv(&byte, 1, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    printf("{\"seconds\": %.6f, \"count\": 1, \"cpu\": %.6f}\n", now(CLOCK_MONOTONIC) - start,
           now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  } else if (rank == 1) {
    sleep(seconds);
    MPI_Send(&byte, 1, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
  }
  MPI_Finalize();
  return 0;
}
