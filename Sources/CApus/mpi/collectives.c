// What all ranks of a communicator do together.
#include <stdlib.h>

#include "table.h"

static const char in_place_mark;

const void *apus_mpi_in_place(void) { return &in_place_mark; }

static inline const void *from_mark(const void *buffer) {
  return buffer == &in_place_mark ? mpi.constants.in_place : buffer;
}
static inline void *to_mark(void *buffer) { return (void *)from_mark(buffer); }

#define CHECK_TYPE(type) \
  if (UNLIKELY(!is_type(type))) return APUS_MPI_BAD_ARGUMENT
#define CHECK_OPERATOR(type, op) \
  if (UNLIKELY(!is_type(type) || !is_operator(op))) return APUS_MPI_BAD_ARGUMENT

/// `call` with so many elements as one of a type made for them.
#define AS_BLOCK(count, type, block, call)                              \
  handle block = 0;                                                     \
  int code = apus_mpi_block_type(count, type, &block);                  \
  if (code) return code;                                                \
  code = call;                                                          \
  mpi.Type_free(&block);                                                \
  return code

int apus_mpi_barrier(apus_mpi_handle comm) { return mpi.Barrier(comm); }

int apus_mpi_bcast(void *buffer, int64_t count, int type, int root, apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  if (!is_large(count)) return mpi.Bcast(buffer, (int)count, element, root, comm);
  if (mpi.has_large) return mpi.Bcast_c(buffer, count, element, root, comm);
  AS_BLOCK(count, type, block, mpi.Bcast(buffer, 1, block, root, comm));
}

int apus_mpi_gather(const void *from, void *to, int64_t count, int type, int root, apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Gather(from, (int)count, element, to, (int)count, element, root, comm);
  if (mpi.has_large) return mpi.Gather_c(from, count, element, to, count, element, root, comm);
  AS_BLOCK(count, type, block, mpi.Gather(from, 1, block, to, 1, block, root, comm));
}

int apus_mpi_scatter(const void *from, void *to, int64_t count, int type, int root, apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  to = to_mark(to);
  if (!is_large(count)) return mpi.Scatter(from, (int)count, element, to, (int)count, element, root, comm);
  if (mpi.has_large) return mpi.Scatter_c(from, count, element, to, count, element, root, comm);
  AS_BLOCK(count, type, block, mpi.Scatter(from, 1, block, to, 1, block, root, comm));
}

int apus_mpi_allgather(const void *from, void *to, int64_t count, int type, apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Allgather(from, (int)count, element, to, (int)count, element, comm);
  if (mpi.has_large) return mpi.Allgather_c(from, count, element, to, count, element, comm);
  AS_BLOCK(count, type, block, mpi.Allgather(from, 1, block, to, 1, block, comm));
}

int apus_mpi_alltoall(const void *from, void *to, int64_t count, int type, apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Alltoall(from, (int)count, element, to, (int)count, element, comm);
  if (mpi.has_large) return mpi.Alltoall_c(from, count, element, to, count, element, comm);
  AS_BLOCK(count, type, block, mpi.Alltoall(from, 1, block, to, 1, block, comm));
}

// MARK: A count for each rank

/// Copies of a communicator's counts and offsets that are as narrow as the library wants them.
struct narrow {
  int *numbers;
  int size;
};

/// Room for `arrays` arrays of one number a rank.
static int narrow_begin(struct narrow *narrow, int arrays, handle comm) {
  int code = mpi.Comm_size(comm, &narrow->size);
  if (code) return code;
  narrow->numbers = malloc(sizeof(int) * (size_t)arrays * (size_t)narrow->size);
  return narrow->numbers ? 0 : APUS_MPI_NO_MEMORY;
}

/// The `index`th array from `values`, which may be NULL. Sets `*code` if one does not fit.
static int *narrow_copy(struct narrow *narrow, int index, const int64_t *values, int *code) {
  if (!values) return NULL;
  int *copy = narrow->numbers + (ptrdiff_t)index * narrow->size;
  for (int i = 0; i < narrow->size; i++) {
    if (is_large(values[i])) *code = values[i] < 0 ? APUS_MPI_BAD_ARGUMENT : APUS_MPI_TOO_LARGE;
    copy[i] = (int)values[i];
  }
  return copy;
}

int apus_mpi_gatherv(
    const void *from, int64_t count, void *to, const int64_t *counts, const int64_t *offsets, int type, int root,
    apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  from = from_mark(from);
  if (mpi.has_large) {
    return mpi.Gatherv_c(from, count, element, to, counts, (const intptr_t *)offsets, element, root, comm);
  }
  struct narrow narrow;
  int code = narrow_begin(&narrow, 2, comm);
  if (code) return code;
  if (is_large(count)) code = APUS_MPI_TOO_LARGE;
  int *places = narrow_copy(&narrow, 0, offsets, &code), *sizes = narrow_copy(&narrow, 1, counts, &code);
  if (!code) code = mpi.Gatherv(from, (int)count, element, to, sizes, places, element, root, comm);
  free(narrow.numbers);
  return code;
}

int apus_mpi_scatterv(
    const void *from, const int64_t *counts, const int64_t *offsets, void *to, int64_t count, int type, int root,
    apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  to = to_mark(to);
  if (mpi.has_large) {
    return mpi.Scatterv_c(from, counts, (const intptr_t *)offsets, element, to, count, element, root, comm);
  }
  struct narrow narrow;
  int code = narrow_begin(&narrow, 2, comm);
  if (code) return code;
  if (is_large(count)) code = APUS_MPI_TOO_LARGE;
  int *places = narrow_copy(&narrow, 0, offsets, &code), *sizes = narrow_copy(&narrow, 1, counts, &code);
  if (!code) code = mpi.Scatterv(from, sizes, places, element, to, (int)count, element, root, comm);
  free(narrow.numbers);
  return code;
}

int apus_mpi_allgatherv(
    const void *from, int64_t count, void *to, const int64_t *counts, const int64_t *offsets, int type,
    apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  from = from_mark(from);
  if (mpi.has_large) {
    return mpi.Allgatherv_c(from, count, element, to, counts, (const intptr_t *)offsets, element, comm);
  }
  struct narrow narrow;
  int code = narrow_begin(&narrow, 2, comm);
  if (code) return code;
  if (is_large(count)) code = APUS_MPI_TOO_LARGE;
  int *places = narrow_copy(&narrow, 0, offsets, &code), *sizes = narrow_copy(&narrow, 1, counts, &code);
  if (!code) code = mpi.Allgatherv(from, (int)count, element, to, sizes, places, element, comm);
  free(narrow.numbers);
  return code;
}

int apus_mpi_alltoallv(
    const void *from, const int64_t *from_counts, const int64_t *from_offsets, void *to, const int64_t *to_counts,
    const int64_t *to_offsets, int type, apus_mpi_handle comm) {
  CHECK_TYPE(type);
  handle element = mpi.handles.types[type];
  from = from_mark(from);
  if (mpi.has_large) {
    return mpi.Alltoallv_c(
        from, from_counts, (const intptr_t *)from_offsets, element, to, to_counts, (const intptr_t *)to_offsets,
        element, comm);
  }
  struct narrow narrow;
  int code = narrow_begin(&narrow, 4, comm);
  if (code) return code;
  int *out = narrow_copy(&narrow, 0, from_counts, &code), *in = narrow_copy(&narrow, 1, to_counts, &code);
  int *out_places = narrow_copy(&narrow, 2, from_offsets, &code);
  int *in_places = narrow_copy(&narrow, 3, to_offsets, &code);
  if (!code) code = mpi.Alltoallv(from, out, out_places, element, to, in, in_places, element, comm);
  free(narrow.numbers);
  return code;
}

// MARK: Reductions. They go element by element, so a large one is as good in parts.

/// `call` with `source`, `target` and `some` for each part of at most `limit` elements.
#define IN_PARTS(from, to, count, type, call)                                          \
  if (count < 0) return APUS_MPI_BAD_ARGUMENT;                                         \
  for (int64_t done = 0; done < count; done += mpi.limit) {                            \
    int some = (int)(count - done < mpi.limit ? count - done : mpi.limit);             \
    int64_t offset = done * element_size(type);                                        \
    const void *source = from == mpi.constants.in_place ? from : (const char *)from + offset; \
    void *target = to ? (char *)to + offset : NULL;                                    \
    int code = call;                                                                   \
    if (code) return code;                                                             \
  }                                                                                    \
  return 0

int apus_mpi_reduce(
    const void *from, void *to, int64_t count, int type, int op, int root, apus_mpi_handle comm) {
  CHECK_OPERATOR(type, op);
  handle element = mpi.handles.types[type], how = mpi.handles.operators[op];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Reduce(from, to, (int)count, element, how, root, comm);
  if (mpi.has_large) return mpi.Reduce_c(from, to, count, element, how, root, comm);
  IN_PARTS(from, to, count, type, mpi.Reduce(source, target, some, element, how, root, comm));
}

int apus_mpi_allreduce(const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm) {
  CHECK_OPERATOR(type, op);
  handle element = mpi.handles.types[type], how = mpi.handles.operators[op];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Allreduce(from, to, (int)count, element, how, comm);
  if (mpi.has_large) return mpi.Allreduce_c(from, to, count, element, how, comm);
  IN_PARTS(from, to, count, type, mpi.Allreduce(source, target, some, element, how, comm));
}

int apus_mpi_scan(const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm) {
  CHECK_OPERATOR(type, op);
  handle element = mpi.handles.types[type], how = mpi.handles.operators[op];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Scan(from, to, (int)count, element, how, comm);
  if (mpi.has_large) return mpi.Scan_c(from, to, count, element, how, comm);
  IN_PARTS(from, to, count, type, mpi.Scan(source, target, some, element, how, comm));
}

int apus_mpi_exscan(const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm) {
  CHECK_OPERATOR(type, op);
  handle element = mpi.handles.types[type], how = mpi.handles.operators[op];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Exscan(from, to, (int)count, element, how, comm);
  if (mpi.has_large) return mpi.Exscan_c(from, to, count, element, how, comm);
  IN_PARTS(from, to, count, type, mpi.Exscan(source, target, some, element, how, comm));
}

int apus_mpi_reduce_scatter_block(
    const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm) {
  CHECK_OPERATOR(type, op);
  handle element = mpi.handles.types[type], how = mpi.handles.operators[op];
  from = from_mark(from);
  if (!is_large(count)) return mpi.Reduce_scatter_block(from, to, (int)count, element, how, comm);
  if (mpi.has_large) return mpi.Reduce_scatter_block_c(from, to, count, element, how, comm);
  // Its parts don't lie side by side: each rank's block would have to be cut, and put together again.
  return count < 0 ? APUS_MPI_BAD_ARGUMENT : APUS_MPI_TOO_LARGE;
}
