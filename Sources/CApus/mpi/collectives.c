// What all ranks of a communicator do together: as requests, so that whoever waits can move other things on meanwhile.
// A library that counts with an int refuses more: TOO_LARGE, before anything is sent.
#include "table.h"

#define CHECK(type, count)                                     \
  if (UNLIKELY(!is_type(type))) return APUS_MPI_BAD_ARGUMENT; \
  handle element = mpi.handles.types[type];                    \
  *request = 0;                                                \
  if (is_large(count) && (count < 0 || !mpi.has_large))        \
  return count < 0 ? APUS_MPI_BAD_ARGUMENT : APUS_MPI_TOO_LARGE

#define CHECK_OPERATOR(type, op, count)                           \
  if (UNLIKELY(!is_operator(op))) return APUS_MPI_BAD_ARGUMENT; \
  handle how = mpi.handles.operators[op];                         \
  CHECK(type, count)

int apus_mpi_ibarrier(apus_mpi_handle comm, apus_mpi_handle *request) {
  *request = 0;
  return mpi.Ibarrier(comm, request);
}

int apus_mpi_ibcast(
    void *buffer, int64_t count, int type, int root, apus_mpi_handle comm, apus_mpi_handle *request) {
  CHECK(type, count);
  if (is_large(count)) return mpi.Ibcast_c(buffer, count, element, root, comm, request);
  return mpi.Ibcast(buffer, (int)count, element, root, comm, request);
}

int apus_mpi_igather(
    const void *from, void *to, int64_t count, int type, int root, apus_mpi_handle comm,
    apus_mpi_handle *request) {
  CHECK(type, count);
  if (is_large(count)) return mpi.Igather_c(from, count, element, to, count, element, root, comm, request);
  return mpi.Igather(from, (int)count, element, to, (int)count, element, root, comm, request);
}

int apus_mpi_iscatter(
    const void *from, void *to, int64_t count, int type, int root, apus_mpi_handle comm,
    apus_mpi_handle *request) {
  CHECK(type, count);
  if (is_large(count)) return mpi.Iscatter_c(from, count, element, to, count, element, root, comm, request);
  return mpi.Iscatter(from, (int)count, element, to, (int)count, element, root, comm, request);
}

int apus_mpi_iallgather(
    void *buffer, int64_t count, int type, apus_mpi_handle comm, apus_mpi_handle *request) {
  CHECK(type, count);
  const void *from = mpi.constants.in_place;
  if (is_large(count)) return mpi.Iallgather_c(from, count, element, buffer, count, element, comm, request);
  return mpi.Iallgather(from, (int)count, element, buffer, (int)count, element, comm, request);
}

int apus_mpi_ialltoall(
    const void *from, void *to, int64_t count, int type, apus_mpi_handle comm, apus_mpi_handle *request) {
  CHECK(type, count);
  if (is_large(count)) return mpi.Ialltoall_c(from, count, element, to, count, element, comm, request);
  return mpi.Ialltoall(from, (int)count, element, to, (int)count, element, comm, request);
}

// MARK: Reductions

int apus_mpi_ireduce(
    const void *from, void *to, int64_t count, int type, int op, int root, apus_mpi_handle comm,
    apus_mpi_handle *request) {
  CHECK_OPERATOR(type, op, count);
  if (to && from == to) from = mpi.constants.in_place;
  if (is_large(count)) return mpi.Ireduce_c(from, to, count, element, how, root, comm, request);
  return mpi.Ireduce(from, to, (int)count, element, how, root, comm, request);
}

int apus_mpi_iallreduce(
    void *buffer, int64_t count, int type, int op, apus_mpi_handle comm, apus_mpi_handle *request) {
  CHECK_OPERATOR(type, op, count);
  const void *from = mpi.constants.in_place;
  if (is_large(count)) return mpi.Iallreduce_c(from, buffer, count, element, how, comm, request);
  return mpi.Iallreduce(from, buffer, (int)count, element, how, comm, request);
}

int apus_mpi_iscan(
    void *buffer, int64_t count, int type, int op, apus_mpi_handle comm, apus_mpi_handle *request) {
  CHECK_OPERATOR(type, op, count);
  const void *from = mpi.constants.in_place;
  if (is_large(count)) return mpi.Iscan_c(from, buffer, count, element, how, comm, request);
  return mpi.Iscan(from, buffer, (int)count, element, how, comm, request);
}

int apus_mpi_iexscan(
    const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm,
    apus_mpi_handle *request) {
  CHECK_OPERATOR(type, op, count);
  if (is_large(count)) return mpi.Iexscan_c(from, to, count, element, how, comm, request);
  return mpi.Iexscan(from, to, (int)count, element, how, comm, request);
}

int apus_mpi_ireduce_scatter_block(
    const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm,
    apus_mpi_handle *request) {
  CHECK_OPERATOR(type, op, count);
  if (is_large(count)) return mpi.Ireduce_scatter_block_c(from, to, count, element, how, comm, request);
  return mpi.Ireduce_scatter_block(from, to, (int)count, element, how, comm, request);
}
