// The C module's parts, for CPython: see `_fast.c`.
#ifndef APUS_FAST_H
#define APUS_FAST_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include "apus_python.h"

// In the limited API these are missing before 3.11 and 3.10, and have been the same since before 3.9.
#ifndef PyBUF_READ
#define PyBUF_READ 0x100
#define PyBUF_WRITE 0x200
#endif
#if Py_LIMITED_API < 0x030A0000
extern const char *PyUnicode_AsUTF8AndSize(PyObject *text, Py_ssize_t *size);
#endif

// The engine's functions, once it is loaded.
extern struct engine {
  void *(*call)(void *, void *, const void *, uint64_t, const apus_py_options *, void *, apus_py_result *);
  int32_t (*job_next)(void *, apus_py_result *);
  int32_t (*job_wait)(void *, uint64_t);
  void (*job_give)(void *, const void *, const uint64_t *, int64_t, int64_t, int32_t);
  void *(*job_keep)(void *);
  int32_t (*worker_serve)(const apus_py_worker *, char *, uint64_t);
  int32_t (*worker_read)(void *, uint64_t);
  int32_t (*worker_emit)(const void *, uint64_t);
  void (*worker_fail)(const void *, uint64_t);
  void *(*worker_part)(void);
} engine;

// Bytes that grow.
typedef struct apus_bytes {
  char *start;
  size_t size, capacity;
} apus_bytes;

int has_room_for(apus_bytes *bytes, size_t more);

// Plain values (`_values.c`). `write_…` return whether all is plain, else what they have written is taken back; no exception stays.
int write_values(apus_bytes *bytes, PyObject *list);
int write_call(apus_bytes *bytes, PyObject *arguments, PyObject *names);
// The items from `start` to `end` of a list or a tuple.
int write_items(apus_bytes *bytes, PyObject *items, Py_ssize_t start, Py_ssize_t end);
// The list that begins with these bytes; what follows it is not looked at. Null without an exception if they are no such.
PyObject *read_values(const void *bytes, uint64_t length);

// What is behind the values of a group (`_protocol.py`): how long it took, and what it is.
enum { TRAILER = 9, VALUES = 0 };
// About so many bytes are held or given at once.
enum { BATCH = 4 << 20 };

extern PyMethodDef values_methods[], calls_methods[], serve_methods[], arenas_methods[];
int prepare_values(void), prepare_serve(void);

#endif
