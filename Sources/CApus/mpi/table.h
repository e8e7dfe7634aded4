// What is known of the library that is open: its functions, constants and layouts. Private to the files beside.
#ifndef APUS_MPI_TABLE_H
#define APUS_MPI_TABLE_H

#include <limits.h>
#include <stdint.h>

#include "apus_mpi.h"

// Handles are passed as 8 bytes to every library, also where its own are 4-byte ints: the calling conventions of
// 64-bit Linux give every argument 8 bytes, in a register or on the stack, and a callee that expects 4 reads the
// low ones. Out-parameters are cleared first, so that 4 bytes written make the same value.
#if !defined(__linux__) || !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "passing 4-byte handles as 8 bytes has to be looked at on this platform"
#endif

typedef apus_mpi_handle handle;

/// A status as the library writes it: none is larger than 32 bytes.
struct raw_status {
  _Alignas(16) int32_t words[8];
};

// Result, name, parameters. C is the type of a count.
#define MESSAGE_FUNCTIONS(F, suffix, C)                                                                     \
  F(int, Send##suffix, (const void *, C, handle, int, int, handle))                                        \
  F(int, Ssend##suffix, (const void *, C, handle, int, int, handle))                                       \
  F(int, Recv##suffix, (void *, C, handle, int, int, handle, void *))                                      \
  F(int, Isend##suffix, (const void *, C, handle, int, int, handle, handle *))                             \
  F(int, Issend##suffix, (const void *, C, handle, int, int, handle, handle *))                            \
  F(int, Irecv##suffix, (void *, C, handle, int, int, handle, handle *))                                   \
  F(int, Mrecv##suffix, (void *, C, handle, handle *, void *))                                             \
  F(int, Imrecv##suffix, (void *, C, handle, handle *, handle *))                                          \
  F(int, Sendrecv##suffix,                                                                                 \
    (const void *, C, handle, int, int, void *, C, handle, int, int, handle, void *))

#define COLLECTIVE_FUNCTIONS(F, suffix, C)                                                                  \
  F(int, Ibcast##suffix, (void *, C, handle, int, handle, handle *))                                       \
  F(int, Igather##suffix, (const void *, C, handle, void *, C, handle, int, handle, handle *))             \
  F(int, Iscatter##suffix, (const void *, C, handle, void *, C, handle, int, handle, handle *))            \
  F(int, Iallgather##suffix, (const void *, C, handle, void *, C, handle, handle, handle *))               \
  F(int, Ialltoall##suffix, (const void *, C, handle, void *, C, handle, handle, handle *))                \
  F(int, Ireduce##suffix, (const void *, void *, C, handle, handle, int, handle, handle *))                \
  F(int, Iallreduce##suffix, (const void *, void *, C, handle, handle, handle, handle *))                  \
  F(int, Ireduce_scatter_block##suffix, (const void *, void *, C, handle, handle, handle, handle *))       \
  F(int, Iscan##suffix, (const void *, void *, C, handle, handle, handle, handle *))                       \
  F(int, Iexscan##suffix, (const void *, void *, C, handle, handle, handle, handle *))

#define OTHER_FUNCTIONS(F)                                                                                  \
  F(int, Get_library_version, (char *, int *))                                                             \
  F(int, Init_thread, (int *, char ***, int, int *))                                                       \
  F(int, Query_thread, (int *))                                                                            \
  F(int, Initialized, (int *))                                                                             \
  F(int, Finalized, (int *))                                                                               \
  F(int, Finalize, (void))                                                                                 \
  F(int, Abort, (handle, int))                                                                             \
  F(double, Wtime, (void))                                                                                 \
  F(int, Get_processor_name, (char *, int *))                                                              \
  F(int, Error_string, (int, char *, int *))                                                               \
  F(int, Error_class, (int, int *))                                                                        \
  F(int, Comm_rank, (handle, int *))                                                                       \
  F(int, Comm_size, (handle, int *))                                                                       \
  F(int, Comm_dup, (handle, handle *))                                                                     \
  F(int, Comm_split, (handle, int, int, handle *))                                                         \
  F(int, Comm_split_type, (handle, int, int, handle, handle *))                                            \
  F(int, Comm_free, (handle *))                                                                            \
  F(int, Comm_set_errhandler, (handle, handle))                                                            \
  F(int, Comm_get_attr, (handle, int, void *, int *))                                                      \
  F(int, Probe, (int, int, handle, void *))                                                                \
  F(int, Iprobe, (int, int, handle, int *, void *))                                                        \
  F(int, Mprobe, (int, int, handle, handle *, void *))                                                     \
  F(int, Improbe, (int, int, handle, int *, handle *, void *))                                             \
  F(int, Wait, (handle *, void *))                                                                         \
  F(int, Test, (handle *, int *, void *))                                                                  \
  F(int, Waitall, (int, void *, void *))                                                                   \
  F(int, Cancel, (handle *))                                                                               \
  F(int, Test_cancelled, (const void *, int *))                                                            \
  F(int, Get_count, (const void *, handle, int *))                                                         \
  F(int, Type_contiguous, (int, handle, handle *))                                                         \
  F(int, Type_create_struct, (int, const int *, const intptr_t *, const void *, handle *))                 \
  F(int, Type_commit, (handle *))                                                                          \
  F(int, Type_free, (handle *))                                                                            \
  F(int, Ibarrier, (handle, handle *))                                                                     \
  F(int, Comm_group, (handle, handle *))                                                                   \
  F(int, Comm_create_group, (handle, handle, int, handle *))                                               \
  F(int, Group_incl, (handle, int, const int *, handle *))                                                 \
  F(int, Group_free, (handle *))

#define REQUIRED_FUNCTIONS(F)  \
  OTHER_FUNCTIONS(F)           \
  MESSAGE_FUNCTIONS(F, , int)  \
  COLLECTIVE_FUNCTIONS(F, , int)

// From MPI 4 on there are all of these, or none. The two that count large messages have come and gone.
#define LARGE_FUNCTIONS(F)             \
  MESSAGE_FUNCTIONS(F, _c, int64_t)    \
  COLLECTIVE_FUNCTIONS(F, _c, int64_t)

#define OPTIONAL_FUNCTIONS(F)                              \
  F(int, Get_count_c, (const void *, handle, int64_t *))   \
  F(int, Get_elements_x, (const void *, handle, int64_t *))

#define TABLE_MEMBER(result, name, parameters) result(*name) parameters;

/// What is one number in a library and another in the next.
struct mpi_constants {
  int any_source, any_tag, proc_null, undefined;
  int type_shared, tag_limit_key;
  int thread_levels[4];
  /// Where a status has its source, tag and error, in words; and how many words it has.
  int source, tag, error, words;
  int handle_size;
  void *in_place;
  void *status_ignore;
};

/// The library's handles for what MPI names.
struct mpi_handles {
  handle world, self, no_comm, no_request, no_message, no_info, errors_return;
  handle types[APUS_MPI_TYPE_COUNT];
  handle operators[APUS_MPI_OPERATOR_COUNT];
};

struct mpi_table {
  REQUIRED_FUNCTIONS(TABLE_MEMBER)
  LARGE_FUNCTIONS(TABLE_MEMBER)
  OPTIONAL_FUNCTIONS(TABLE_MEMBER)
  struct mpi_constants constants;
  struct mpi_handles handles;
  handle byte;
  /// The greatest count that goes to a function which counts with an int.
  int64_t limit;
  bool has_large;
  enum apus_mpi_abi abi;
  void *loaded;
  char path[4096];
};

/// Written by apus_mpi_open alone, before any other call: so nobody locks.
extern struct mpi_table mpi __attribute__((visibility("hidden")));

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/// Also true of a negative count, which no library should see as a large positive one.
static inline bool is_large(int64_t count) { return UNLIKELY((uint64_t)count > (uint64_t)mpi.limit); }

static inline int to_rank(int rank) {
  return rank >= 0 ? rank : rank == APUS_MPI_NOBODY ? mpi.constants.proc_null : mpi.constants.any_source;
}

static inline int to_tag(int tag) { return tag >= 0 ? tag : mpi.constants.any_tag; }

/// What a function left in `out`, as callers know it.
static inline handle from_null(handle value, handle null) { return value == null ? 0 : value; }
static inline handle to_null(handle value, handle null) { return value == 0 ? null : value; }

static inline int32_t element_size(int type) {
  static const int8_t sizes[APUS_MPI_TYPE_COUNT] = {1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1};
  return sizes[type];
}

static inline bool is_type(int type) { return (unsigned)type < APUS_MPI_TYPE_COUNT; }
static inline bool is_operator(int op) { return (unsigned)op < APUS_MPI_OPERATOR_COUNT; }

// Not exported: names like these are the program's.
#pragma GCC visibility push(hidden)

/// Fills `status` from what the library wrote.
void apus_mpi_decode(const struct raw_status *raw, int code, struct apus_mpi_status *status);

/// One type that is `count` elements of `type`, for libraries that count with an int. To be freed.
int apus_mpi_block_type(int64_t count, int type, handle *block);

#pragma GCC visibility pop

#endif
