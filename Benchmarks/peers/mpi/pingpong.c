// A message there and one back, between two ranks; the figure is for one way.
//
//     mpirun -n 2 pingpong BYTES

#include "measure.h"

static char *memory;
static int bytes;

static void pingpong(long rounds) {
  for (long i = 0; i < rounds; i++) {
    if (rank == 0) {
      MPI_Send(memory, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
      MPI_Recv(memory, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank == 1) {
      MPI_Recv(memory, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(memory, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
    }
  }
}

int main(int argc, char **argv) {
  start(&argc, &argv, 2);
  bytes = argc > 1 ? atoi(argv[1]) : 8;
  memory = pages(bytes);
  measure(pingpong, 2, bytes);
  MPI_Finalize();
  return 0;
}
