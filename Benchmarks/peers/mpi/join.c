// Ranks that join and end, and do nothing else: what starting them takes.

#include <mpi.h>

int main(int argc, char **argv) {
  int provided;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
  MPI_Finalize();
  return 0;
}
