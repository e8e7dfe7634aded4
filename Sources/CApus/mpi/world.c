// Starting and ending MPI, what a library says of itself, and communicators.
#include <stdio.h>
#include <string.h>

#include "table.h"

int apus_mpi_init(int level, int *provided) {
  if (level < APUS_MPI_SINGLE || level > APUS_MPI_MULTIPLE) return APUS_MPI_BAD_ARGUMENT;
  int got = 0;
  int code = mpi.Init_thread(NULL, NULL, mpi.constants.thread_levels[level], &got);
  if (code) return code;
  // At once: by default an error ends the program, and what comes next may be one.
  code = apus_mpi_errors_return(mpi.handles.world);
  // Errors that belong to no communicator go to this one from MPI 4 on.
  if (!code) code = apus_mpi_errors_return(mpi.handles.self);
  return code ? code : apus_mpi_thread_level(provided);
}

int apus_mpi_thread_level(int *provided) {
  int got = 0;
  int code = mpi.Query_thread(&got);
  *provided = APUS_MPI_SINGLE;
  for (int i = 0; i < 4; i++) {
    if (got >= mpi.constants.thread_levels[i]) *provided = i;
  }
  return code;
}

int apus_mpi_initialized(bool *flag) {
  int value = 0;
  int code = mpi.Initialized(&value);
  *flag = value != 0;
  return code;
}

int apus_mpi_finalized(bool *flag) {
  int value = 0;
  int code = mpi.Finalized(&value);
  *flag = value != 0;
  return code;
}

int apus_mpi_finalize(void) { return mpi.Finalize(); }
int apus_mpi_abort(apus_mpi_handle comm, int code) { return mpi.Abort(comm, code); }
double apus_mpi_wtime(void) { return mpi.Wtime(); }

// Larger than any library's MPI_MAX_LIBRARY_VERSION_STRING (8192), MPI_MAX_ERROR_STRING (1024) and
// MPI_MAX_PROCESSOR_NAME (256): they write without asking how much room there is.
struct library_text {
  char bytes[8192 + 1];
};

int apus_mpi_library_version(char *text, size_t size) {
  struct library_text whole = {0};
  int length = 0;
  int code = mpi.Get_library_version(whole.bytes, &length);
  snprintf(text, size, "%s", whole.bytes);
  return code;
}

int apus_mpi_processor_name(char *text, size_t size) {
  struct library_text whole = {0};
  int length = 0;
  int code = mpi.Get_processor_name(whole.bytes, &length);
  snprintf(text, size, "%s", whole.bytes);
  return code;
}

int apus_mpi_error_string(int error, char *text, size_t size) {
  struct library_text whole = {0};
  int length = 0;
  int code = mpi.Error_string(error, whole.bytes, &length);
  snprintf(text, size, "%s", whole.bytes);
  return code;
}

int apus_mpi_error_class(int code) {
  int class = 0;
  if (code <= 0 || mpi.Error_class(code, &class) != 0) return APUS_MPI_CLASS_UNKNOWN;
  if (class < 1 || class > 19) return APUS_MPI_CLASS_OTHER;
  switch (mpi.abi) {
  case APUS_MPI_OPEN_MPI:
    // As the standard, but for the last two.
    return class == 18 ? APUS_MPI_CLASS_IN_STATUS : class == 19 ? APUS_MPI_CLASS_PENDING : class;
  case APUS_MPI_MPICH: {
    // MPI_ERR_REQUEST comes last, so those after it are one less.
    if (class == 19) return APUS_MPI_CLASS_REQUEST;
    if (class == 18) return APUS_MPI_CLASS_PENDING;
    if (class == 17) return APUS_MPI_CLASS_IN_STATUS;
    return class >= 7 ? class + 1 : class;
  }
  default:
    return class;
  }
}

apus_mpi_handle apus_mpi_world(void) { return mpi.handles.world; }
apus_mpi_handle apus_mpi_self(void) { return mpi.handles.self; }
int apus_mpi_comm_rank(apus_mpi_handle comm, int *rank) { return mpi.Comm_rank(comm, rank); }
int apus_mpi_comm_size(apus_mpi_handle comm, int *size) { return mpi.Comm_size(comm, size); }

/// A communicator that a function has just made.
static int made(int code, handle comm, apus_mpi_handle *result) {
  *result = code ? 0 : from_null(comm, mpi.handles.no_comm);
  return code;
}

int apus_mpi_comm_dup(apus_mpi_handle comm, apus_mpi_handle *result) {
  handle new = 0;
  int code = mpi.Comm_dup(comm, &new);
  return made(code, new, result);
}

int apus_mpi_comm_split(apus_mpi_handle comm, int color, int key, apus_mpi_handle *result) {
  handle new = 0;
  int code = mpi.Comm_split(comm, color < 0 ? mpi.constants.undefined : color, key, &new);
  return made(code, new, result);
}

int apus_mpi_comm_split_shared(apus_mpi_handle comm, int key, apus_mpi_handle *result) {
  handle new = 0;
  int code = mpi.Comm_split_type(comm, mpi.constants.type_shared, key, mpi.handles.no_info, &new);
  return made(code, new, result);
}

int apus_mpi_comm_of(apus_mpi_handle comm, int count, const int *ranks, apus_mpi_handle *result) {
  handle all = 0, some = 0, new = 0;
  int code = mpi.Comm_group(comm, &all);
  if (!code) code = mpi.Group_incl(all, count, ranks, &some);
  if (!code) code = mpi.Comm_create_group(comm, some, 0, &new);
  if (some) mpi.Group_free(&some);
  if (all) mpi.Group_free(&all);
  return made(code, new, result);
}

int apus_mpi_comm_free(apus_mpi_handle *comm) {
  if (*comm == 0) return 0;
  int code = mpi.Comm_free(comm);
  if (!code) *comm = 0;
  return code;
}

int apus_mpi_errors_return(apus_mpi_handle comm) {
  return mpi.Comm_set_errhandler(comm, mpi.handles.errors_return);
}

static int greatest_tag = INT_MAX;

void apus_mpi_set_tag_limit(int limit) { greatest_tag = limit; }

int apus_mpi_tag_limit(apus_mpi_handle comm, int *limit) {
  // In C the attribute of each library is the address of an int that it owns.
  int *address = NULL, found = 0;
  int code = mpi.Comm_get_attr(comm, mpi.constants.tag_limit_key, &address, &found);
  // What the standard promises where a library does not say.
  *limit = !code && found && address ? *address : 32767;
  if (*limit > greatest_tag) *limit = greatest_tag;
  return code;
}
