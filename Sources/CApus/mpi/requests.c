// Waiting for requests.
#include <stdlib.h>
#include <string.h>

#include "table.h"

static const struct apus_mpi_status empty = {.source = APUS_MPI_ANY, .tag = APUS_MPI_ANY};

static void finish(const struct raw_status *raw, int code, struct apus_mpi_status *status) {
  apus_mpi_decode(raw, code, status);
  int cancelled = 0;
  if (mpi.Test_cancelled(raw, &cancelled) == 0) status->cancelled = cancelled != 0;
}

int apus_mpi_cancel(apus_mpi_handle *request) { return *request ? mpi.Cancel(request) : 0; }

int apus_mpi_wait(apus_mpi_handle *request, struct apus_mpi_status *status) {
  if (*request == 0) {
    if (status) *status = empty;
    return 0;
  }
  struct raw_status raw = {0};
  int code = mpi.Wait(request, status ? (void *)&raw : mpi.constants.status_ignore);
  *request = from_null(*request, mpi.handles.no_request);
  if (status) finish(&raw, code, status);
  return code;
}

int apus_mpi_test(apus_mpi_handle *request, bool *done, struct apus_mpi_status *status) {
  if (*request == 0) {
    if (status) *status = empty;
    *done = true;
    return 0;
  }
  struct raw_status raw = {0};
  int flag = 0;
  int code = mpi.Test(request, &flag, status ? (void *)&raw : mpi.constants.status_ignore);
  *request = from_null(*request, mpi.handles.no_request);
  *done = code || flag;
  if (status && *done) finish(&raw, code, status);
  return code;
}

/// The library's array of `count` requests, and back: its handles may be half as wide.
static void pack(const handle *requests, int count, char *packed) {
  for (int i = 0; i < count; i++) {
    handle value = to_null(requests[i], mpi.handles.no_request);
    memcpy(packed + i * mpi.constants.handle_size, &value, (size_t)mpi.constants.handle_size);
  }
}

static void unpack(const char *packed, int count, handle *requests) {
  for (int i = 0; i < count; i++) {
    handle value = 0;
    memcpy(&value, packed + i * mpi.constants.handle_size, (size_t)mpi.constants.handle_size);
    requests[i] = from_null(value, mpi.handles.no_request);
  }
}

/// Open MPI's own MPI_Waitall never comes back if a request has failed before it and threads are MULTIPLE (4.1.4).
static int wait_one_by_one(int count, handle *requests, struct apus_mpi_status *statuses) {
  int first = 0;
  for (int i = 0; i < count; i++) {
    int code = apus_mpi_wait(&requests[i], statuses ? &statuses[i] : NULL);
    if (!first) first = code;
  }
  return first;
}

int apus_mpi_waitall(int count, apus_mpi_handle *requests, struct apus_mpi_status *statuses) {
  if (count <= 0) return count < 0 ? APUS_MPI_BAD_ARGUMENT : 0;
  if (mpi.abi == APUS_MPI_OPEN_MPI) return wait_one_by_one(count, requests, statuses);
  enum { few = 16, status_size = 32 };
  _Alignas(16) char room[few * (sizeof(handle) + status_size)];
  const size_t size = (size_t)count * (sizeof(handle) + status_size);
  const size_t stride = (size_t)mpi.constants.words * sizeof(int32_t);
  char *memory = count <= few ? room : malloc(size);
  if (!memory) return APUS_MPI_NO_MEMORY;
  memset(memory, 0, size);
  char *raw = memory, *packed = memory + (size_t)count * status_size;

  pack(requests, count, packed);
  int code = mpi.Waitall(count, packed, statuses ? (void *)raw : mpi.constants.status_ignore);
  unpack(packed, count, requests);
  // Else the error fields are whatever they were.
  const bool each = code && apus_mpi_error_class(code) == APUS_MPI_CLASS_IN_STATUS;
  for (int i = 0; statuses && i < count; i++) {
    struct raw_status one = {0};
    memcpy(&one, raw + (size_t)i * stride, stride);
    finish(&one, each ? one.words[mpi.constants.error] : code, &statuses[i]);
  }
  if (memory != room) free(memory);
  return code;
}
