// Messages from one rank to another.
#include "table.h"

void apus_mpi_decode(const struct raw_status *raw, int code, struct apus_mpi_status *status) {
  int source = raw->words[mpi.constants.source], tag = raw->words[mpi.constants.tag];
  status->source = source >= 0 ? source : source == mpi.constants.proc_null ? APUS_MPI_NOBODY : APUS_MPI_ANY;
  status->tag = tag >= 0 ? tag : APUS_MPI_ANY;
  status->error = code;
  status->cancelled = false;
  int count = 0;
  status->count = 0;
  if (mpi.Get_count(raw, mpi.byte, &count) != 0) return;
  if (count >= 0) {
    status->count = count;
  } else if (mpi.Get_count_c) {
    mpi.Get_count_c(raw, mpi.byte, &status->count);
  } else if (mpi.Get_elements_x) {
    mpi.Get_elements_x(raw, mpi.byte, &status->count);
  }
}

/// `count` bytes as one element of a type made for them. The block outlives its free until the last use of it.
#define WITH_BLOCK(count, block, call)                                  \
  handle block = 0;                                                     \
  int code = apus_mpi_block_type(count, APUS_MPI_BYTE, &block);         \
  if (code) return code;                                                \
  code = call;                                                          \
  mpi.Type_free(&block);                                                \
  return code

// MARK: Sending

#define TO destination >= 0 ? destination : to_rank(destination), tag, comm

__attribute__((noinline)) static int send_large(
    const void *bytes, int64_t count, int destination, int tag, handle comm) {
  if (mpi.has_large) return mpi.Send_c(bytes, count, mpi.byte, TO);
  WITH_BLOCK(count, block, mpi.Send(bytes, 1, block, TO));
}

int apus_mpi_send(const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm) {
  if (is_large(count)) return send_large(bytes, count, destination, tag, comm);
  return mpi.Send(bytes, (int)count, mpi.byte, TO);
}

int apus_mpi_ssend(const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm) {
  if (!is_large(count)) return mpi.Ssend(bytes, (int)count, mpi.byte, TO);
  if (mpi.has_large) return mpi.Ssend_c(bytes, count, mpi.byte, TO);
  WITH_BLOCK(count, block, mpi.Ssend(bytes, 1, block, TO));
}

int apus_mpi_isend(
    const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm, apus_mpi_handle *request) {
  *request = 0;
  if (!is_large(count)) return mpi.Isend(bytes, (int)count, mpi.byte, TO, request);
  if (mpi.has_large) return mpi.Isend_c(bytes, count, mpi.byte, TO, request);
  WITH_BLOCK(count, block, mpi.Isend(bytes, 1, block, TO, request));
}

int apus_mpi_issend(
    const void *bytes, int64_t count, int destination, int tag, apus_mpi_handle comm, apus_mpi_handle *request) {
  *request = 0;
  if (!is_large(count)) return mpi.Issend(bytes, (int)count, mpi.byte, TO, request);
  if (mpi.has_large) return mpi.Issend_c(bytes, count, mpi.byte, TO, request);
  WITH_BLOCK(count, block, mpi.Issend(bytes, 1, block, TO, request));
}

// MARK: Receiving

#define FROM to_rank(source), to_tag(tag), comm

__attribute__((noinline)) static int recv_large(
    void *buffer, int64_t capacity, int source, int tag, handle comm, void *raw) {
  if (mpi.has_large) return mpi.Recv_c(buffer, capacity, mpi.byte, FROM, raw);
  WITH_BLOCK(capacity, block, mpi.Recv(buffer, 1, block, FROM, raw));
}

int apus_mpi_recv(
    void *buffer, int64_t capacity, int source, int tag, apus_mpi_handle comm, struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  void *where = status ? (void *)&raw : mpi.constants.status_ignore;
  int code = is_large(capacity) ? recv_large(buffer, capacity, source, tag, comm, where)
                                : mpi.Recv(buffer, (int)capacity, mpi.byte, FROM, where);
  // Of our own codes no library has filled the status.
  if (status && code >= 0) apus_mpi_decode(&raw, code, status);
  return code;
}

int apus_mpi_recv_tagged(void *buffer, int capacity, int source, apus_mpi_handle comm, int *from, int *tag) {
  struct raw_status raw;
  int code = mpi.Recv(buffer, capacity, mpi.byte, to_rank(source), mpi.constants.any_tag, comm, &raw);
  if (code) return code;
  *from = raw.words[mpi.constants.source];
  *tag = raw.words[mpi.constants.tag];
  return 0;
}

int apus_mpi_irecv(
    void *buffer, int64_t capacity, int source, int tag, apus_mpi_handle comm, apus_mpi_handle *request) {
  *request = 0;
  if (!is_large(capacity)) return mpi.Irecv(buffer, (int)capacity, mpi.byte, FROM, request);
  if (mpi.has_large) return mpi.Irecv_c(buffer, capacity, mpi.byte, FROM, request);
  WITH_BLOCK(capacity, block, mpi.Irecv(buffer, 1, block, FROM, request));
}

// MARK: Both at once

static int sendrecv_blocks(
    const void *bytes, int64_t count, int destination, int send_tag, void *buffer, int64_t capacity, int source,
    int receive_tag, handle comm, void *raw) {
  handle out = 0, in = 0;
  int code = apus_mpi_block_type(count, APUS_MPI_BYTE, &out);
  if (code) return code;
  code = apus_mpi_block_type(capacity, APUS_MPI_BYTE, &in);
  if (!code) {
    code = mpi.Sendrecv(
        bytes, 1, out, to_rank(destination), send_tag, buffer, 1, in, to_rank(source), to_tag(receive_tag), comm,
        raw);
    mpi.Type_free(&in);
  }
  mpi.Type_free(&out);
  return code;
}

int apus_mpi_sendrecv(
    const void *bytes, int64_t count, int destination, int send_tag, void *buffer, int64_t capacity, int source,
    int receive_tag, apus_mpi_handle comm, struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  void *where = status ? (void *)&raw : mpi.constants.status_ignore;
  int code;
  if (!is_large(count) && !is_large(capacity)) {
    code = mpi.Sendrecv(
        bytes, (int)count, mpi.byte, to_rank(destination), send_tag, buffer, (int)capacity, mpi.byte,
        to_rank(source), to_tag(receive_tag), comm, where);
  } else if (mpi.has_large) {
    code = mpi.Sendrecv_c(
        bytes, count, mpi.byte, to_rank(destination), send_tag, buffer, capacity, mpi.byte, to_rank(source),
        to_tag(receive_tag), comm, where);
  } else {
    code = sendrecv_blocks(
        bytes, count, destination, send_tag, buffer, capacity, source, receive_tag, comm, where);
  }
  if (status && code >= 0) apus_mpi_decode(&raw, code, status);
  return code;
}

// MARK: Looking before receiving

int apus_mpi_probe(int source, int tag, apus_mpi_handle comm, struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  int code = mpi.Probe(FROM, status ? (void *)&raw : mpi.constants.status_ignore);
  if (status) apus_mpi_decode(&raw, code, status);
  return code;
}

int apus_mpi_iprobe(int source, int tag, apus_mpi_handle comm, bool *found, struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  int flag = 0;
  int code = mpi.Iprobe(FROM, &flag, status ? (void *)&raw : mpi.constants.status_ignore);
  *found = !code && flag;
  if (status && *found) apus_mpi_decode(&raw, code, status);
  return code;
}

int apus_mpi_mprobe(
    int source, int tag, apus_mpi_handle comm, apus_mpi_handle *message, struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  *message = 0;
  int code = mpi.Mprobe(FROM, message, status ? (void *)&raw : mpi.constants.status_ignore);
  if (status) apus_mpi_decode(&raw, code, status);
  return code;
}

int apus_mpi_improbe(
    int source, int tag, apus_mpi_handle comm, bool *found, apus_mpi_handle *message,
    struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  int flag = 0;
  *message = 0;
  int code = mpi.Improbe(FROM, &flag, message, status ? (void *)&raw : mpi.constants.status_ignore);
  *found = !code && flag;
  if (!*found) *message = 0;
  if (status && *found) apus_mpi_decode(&raw, code, status);
  return code;
}

__attribute__((noinline)) static int mrecv_large(void *buffer, int64_t capacity, handle *message, void *raw) {
  if (mpi.has_large) return mpi.Mrecv_c(buffer, capacity, mpi.byte, message, raw);
  WITH_BLOCK(capacity, block, mpi.Mrecv(buffer, 1, block, message, raw));
}

int apus_mpi_mrecv(void *buffer, int64_t capacity, apus_mpi_handle *message, struct apus_mpi_status *status) {
  struct raw_status raw = {0};
  void *where = status ? (void *)&raw : mpi.constants.status_ignore;
  int code = is_large(capacity) ? mrecv_large(buffer, capacity, message, where)
                                : mpi.Mrecv(buffer, (int)capacity, mpi.byte, message, where);
  *message = from_null(*message, mpi.handles.no_message);
  if (status && code >= 0) apus_mpi_decode(&raw, code, status);
  return code;
}

__attribute__((noinline)) static int imrecv_large(
    void *buffer, int64_t capacity, handle *message, handle *request) {
  if (mpi.has_large) return mpi.Imrecv_c(buffer, capacity, mpi.byte, message, request);
  WITH_BLOCK(capacity, block, mpi.Imrecv(buffer, 1, block, message, request));
}

int apus_mpi_imrecv(void *buffer, int64_t capacity, apus_mpi_handle *message, apus_mpi_handle *request) {
  *request = 0;
  int code = is_large(capacity) ? imrecv_large(buffer, capacity, message, request)
                                : mpi.Imrecv(buffer, (int)capacity, mpi.byte, message, request);
  *message = from_null(*message, mpi.handles.no_message);
  return code;
}
