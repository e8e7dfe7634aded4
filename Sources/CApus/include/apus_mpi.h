// MPI opened at run time: one binary, compiled without any MPI header, drives Open MPI, MPICH and every library
// of MPI 5's standard ABI.
//
// A process has one MPI library; all of this is about that one. A call before `apus_mpi_open` has succeeded is
// undefined, as is one before `apus_mpi_init` unless it says otherwise.
//
// Functions that return `int` return 0, an error code of the library's (positive), or one of ours (negative).
#ifndef APUS_MPI_H
#define APUS_MPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A communicator, request or message as the library itself knows it: its pointer, or its 4-byte number in the low
/// half. The library's own null is 0 here, whatever it is there.
typedef uintptr_t apus_mpi_handle;

/// How a library lays out its handles, constants and statuses.
enum apus_mpi_abi {
  APUS_MPI_CLOSED = 0,
  APUS_MPI_STANDARD = 1,
  APUS_MPI_OPEN_MPI = 2,
  /// MPICH and what is compatible with it (Intel, Cray, MVAPICH).
  APUS_MPI_MPICH = 3,
};

/// Ranks and tags that are none. The libraries disagree on the numbers; these hold for all.
enum {
  APUS_MPI_ANY = -1,
  APUS_MPI_NOBODY = -2,
};

/// Error codes that no library gives.
enum {
  /// More elements than this library's functions can count.
  APUS_MPI_TOO_LARGE = -1,
  APUS_MPI_NO_MEMORY = -2,
  /// An argument that does not reach the library: an unknown type or operator, a negative count.
  APUS_MPI_BAD_ARGUMENT = -3,
  /// The library has no such function.
  APUS_MPI_NO_FUNCTION = -4,
};

/// What went wrong, numbered as in MPI 5.0 whatever the library's own numbers are. Others are OTHER.
enum {
  APUS_MPI_CLASS_BUFFER = 1,
  APUS_MPI_CLASS_COUNT = 2,
  APUS_MPI_CLASS_TYPE = 3,
  APUS_MPI_CLASS_TAG = 4,
  APUS_MPI_CLASS_COMM = 5,
  APUS_MPI_CLASS_RANK = 6,
  APUS_MPI_CLASS_REQUEST = 7,
  APUS_MPI_CLASS_ROOT = 8,
  APUS_MPI_CLASS_OP = 10,
  APUS_MPI_CLASS_ARG = 13,
  APUS_MPI_CLASS_UNKNOWN = 14,
  APUS_MPI_CLASS_TRUNCATE = 15,
  APUS_MPI_CLASS_OTHER = 16,
  APUS_MPI_CLASS_INTERN = 17,
  APUS_MPI_CLASS_PENDING = 18,
  APUS_MPI_CLASS_IN_STATUS = 19,
};

enum {
  APUS_MPI_SINGLE = 0,
  APUS_MPI_FUNNELED = 1,
  APUS_MPI_SERIALIZED = 2,
  APUS_MPI_MULTIPLE = 3,
};

/// The element types of the collectives.
enum {
  APUS_MPI_INT8,
  APUS_MPI_INT16,
  APUS_MPI_INT32,
  APUS_MPI_INT64,
  APUS_MPI_UINT8,
  APUS_MPI_UINT16,
  APUS_MPI_UINT32,
  APUS_MPI_UINT64,
  APUS_MPI_FLOAT,
  APUS_MPI_DOUBLE,
  APUS_MPI_BYTE,
  APUS_MPI_TYPE_COUNT,
};

enum {
  APUS_MPI_SUM,
  APUS_MPI_PROD,
  APUS_MPI_MIN,
  APUS_MPI_MAX,
  APUS_MPI_LAND,
  APUS_MPI_LOR,
  APUS_MPI_LXOR,
  APUS_MPI_BAND,
  APUS_MPI_BOR,
  APUS_MPI_BXOR,
  APUS_MPI_OPERATOR_COUNT,
};

struct apus_mpi_status {
  /// APUS_MPI_NOBODY after a receive from nobody, APUS_MPI_ANY in an empty status.
  int32_t source;
  int32_t tag;
  int32_t error;
  bool cancelled;
  /// Bytes.
  int64_t count;
};

// MARK: The library

/// Loads the library at `path` (as for dlopen; NULL: the one that is part of this program). Returns its ABI, or
/// APUS_MPI_CLOSED and why in `problem`. Not safe from two threads at a time. Opens nothing if one is open.
enum apus_mpi_abi apus_mpi_open(const char *path, char *problem, size_t size);

/// Gives up a library that was not initialised.
void apus_mpi_close(void);

/// Whether MPI's functions are in this program already: linked in, or loaded for everybody.
bool apus_mpi_is_in_program(void);

/// The file that the library was loaded from. Valid until it is closed.
const char *apus_mpi_path(void);

/// Whether the library has functions whose counts are 64 bits wide (MPI 4).
bool apus_mpi_has_large_counts(void);

/// Lets tests walk the ways for more than INT_MAX elements without that many. Not while others call.
void apus_mpi_set_count_limit(int32_t limit);

/// May be called before `apus_mpi_init`. `text` receives what fits.
int apus_mpi_library_version(char *text, size_t size);

/// Starts MPI and makes errors return. `*provided` is the thread level that there is, which may be lower.
int apus_mpi_init(int level, int *provided);
int apus_mpi_thread_level(int *provided);
int apus_mpi_initialized(bool *flag);
int apus_mpi_finalized(bool *flag);
int apus_mpi_finalize(void);
int apus_mpi_abort(apus_mpi_handle comm, int code);
double apus_mpi_wtime(void);
int apus_mpi_processor_name(char *text, size_t size);

/// The library's text for one of its error codes.
int apus_mpi_error_string(int code, char *text, size_t size);

/// An APUS_MPI_CLASS.
int apus_mpi_error_class(int code);

// MARK: Communicators

apus_mpi_handle apus_mpi_world(void);
apus_mpi_handle apus_mpi_self(void);
int apus_mpi_comm_rank(apus_mpi_handle comm, int *rank);
int apus_mpi_comm_size(apus_mpi_handle comm, int *size);
int apus_mpi_comm_dup(apus_mpi_handle comm, apus_mpi_handle *result);
/// A negative `color` joins no group and gets 0.
int apus_mpi_comm_split(apus_mpi_handle comm, int color, int key, apus_mpi_handle *result);
/// The ranks that share memory with this one.
int apus_mpi_comm_split_shared(apus_mpi_handle comm, int key, apus_mpi_handle *result);
/// Those of `comm` with these ranks there, each of whom calls it, in this order.
int apus_mpi_comm_of(apus_mpi_handle comm, int count, const int *ranks, apus_mpi_handle *result);
int apus_mpi_comm_free(apus_mpi_handle *comm);
/// Errors on `comm` come back as codes and don't end the program.
int apus_mpi_errors_return(apus_mpi_handle comm);
/// The greatest tag that may be used.
int apus_mpi_tag_limit(apus_mpi_handle comm, int *limit);
/// Lets tests have a library that knows fewer tags.
void apus_mpi_set_tag_limit(int limit);

// MARK: Messages. Counts are bytes. `status` may be NULL.

int apus_mpi_send(const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm);
int apus_mpi_ssend(const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm);
int apus_mpi_recv(
    void *buffer, int64_t capacity, int source, int tag, apus_mpi_handle comm, struct apus_mpi_status *status);
/// Under any tag; what is told of the message is who sent it, and the tag.
int apus_mpi_recv_tagged(
    void *buffer, int capacity, int source, apus_mpi_handle comm, int *from, int *tag);
int apus_mpi_sendrecv(
    const void *bytes, int64_t count, int destination, int send_tag, void *buffer, int64_t capacity, int source,
    int receive_tag, apus_mpi_handle comm, struct apus_mpi_status *status);

int apus_mpi_probe(int source, int tag, apus_mpi_handle comm, struct apus_mpi_status *status);
/// `*message` is what `apus_mpi_mrecv` takes: nobody else can receive it.
int apus_mpi_mprobe(
    int source, int tag, apus_mpi_handle comm, apus_mpi_handle *message, struct apus_mpi_status *status);
/// The `i` forms don't wait: `*found` says whether there is a message.
int apus_mpi_iprobe(int source, int tag, apus_mpi_handle comm, bool *found, struct apus_mpi_status *status);
int apus_mpi_improbe(
    int source, int tag, apus_mpi_handle comm, bool *found, apus_mpi_handle *message,
    struct apus_mpi_status *status);
int apus_mpi_mrecv(void *buffer, int64_t capacity, apus_mpi_handle *message, struct apus_mpi_status *status);

// MARK: Requests. 0 is a request that is done.

int apus_mpi_isend(
    const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_issend(
    const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_irecv(
    void *buffer, int64_t capacity, int source, int tag, apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_imrecv(void *buffer, int64_t capacity, apus_mpi_handle *message, apus_mpi_handle *request);

int apus_mpi_wait(apus_mpi_handle *request, struct apus_mpi_status *status);
int apus_mpi_test(apus_mpi_handle *request, bool *done, struct apus_mpi_status *status);
/// `statuses` is NULL or as long as `requests`. On an error the `error` of those that failed says why.
int apus_mpi_waitall(int count, apus_mpi_handle *requests, struct apus_mpi_status *statuses);
/// The request has to be waited for all the same; its status then says whether it was cancelled.
int apus_mpi_cancel(apus_mpi_handle *request);

// MARK: Collectives. Counts are elements of `type` and each rank's. Without MPI 4, TOO_LARGE is for what an int
// can't count.

int apus_mpi_ibarrier(apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_ibcast(
    void *buffer, int64_t count, int type, int root, apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_igather(
    const void *from, void *to, int64_t count, int type, int root, apus_mpi_handle comm,
    apus_mpi_handle *request);
int apus_mpi_iscatter(
    const void *from, void *to, int64_t count, int type, int root, apus_mpi_handle comm,
    apus_mpi_handle *request);
/// Each rank's own elements lie in their place.
int apus_mpi_iallgather(
    void *buffer, int64_t count, int type, apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_ialltoall(
    const void *from, void *to, int64_t count, int type, apus_mpi_handle comm, apus_mpi_handle *request);

/// The root may give the same memory twice.
int apus_mpi_ireduce(
    const void *from, void *to, int64_t count, int type, int op, int root, apus_mpi_handle comm,
    apus_mpi_handle *request);
int apus_mpi_iallreduce(
    void *buffer, int64_t count, int type, int op, apus_mpi_handle comm, apus_mpi_handle *request);
int apus_mpi_ireduce_scatter_block(
    const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm,
    apus_mpi_handle *request);
int apus_mpi_iscan(
    void *buffer, int64_t count, int type, int op, apus_mpi_handle comm, apus_mpi_handle *request);
/// Leaves rank 0's `to` as it is.
int apus_mpi_iexscan(
    const void *from, void *to, int64_t count, int type, int op, apus_mpi_handle comm,
    apus_mpi_handle *request);

#endif
