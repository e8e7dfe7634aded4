// What Python sees of the engine. All of it is C: no Swift name leaves the library.
//
// Texts are UTF-8 that ends in a zero; `length` counts bytes; times are nanoseconds. Whoever is handed a pointer to bytes
// may read them until its next call with the same object.
#ifndef APUS_PYTHON_H
#define APUS_PYTHON_H

#include <stdint.h>

typedef struct apus_py_pool_config {
  int64_t workers;
  // The interpreter, and its arguments: the program's name first, a null pointer last.
  const char *executable;
  const char *const *arguments;
  // Lines NAME=value, a null pointer last; null: this process's environment.
  const char *const *environment;
  // What workers are forked from, by `apus_py_template_new`; null: each is a new run of the interpreter.
  void *workers_template;
  // How long a worker may take to be ready; 0: as long as it likes.
  uint64_t start_limit;
  const char *name;
  // The function that each worker calls before its first task, and its argument; null: none.
  void *start_function;
  const void *start_argument;
  uint64_t start_length;
  // 0: never replaced.
  int64_t tasks_per_worker;
  // Bytes; 0: any number.
  uint64_t memory_limit;
  // Whether a task that exceeds it is tried once more when nothing else runs.
  int32_t retries_alone;
  // How many workers may be replaced; -1: any number.
  int64_t restarts;
} apus_py_pool_config;

typedef struct apus_py_options {
  // 0: none.
  uint64_t time_limit;
  // Between asking a task to stop and killing its worker.
  uint64_t grace;
  int64_t retries;
  // Elements of a message; 0: as many as pay.
  int64_t chunk;
} apus_py_options;

// What has come back.
typedef enum APUS_PY_KIND {
  APUS_PY_NOTHING = 0,
  // `bytes` are what the worker has emitted.
  APUS_PY_VALUE = 1,
  // `bytes` are a text: what is wrong with the task, not with a worker.
  APUS_PY_FAILED = 2,
  // The worker ended.
  APUS_PY_DIED = 3,
  APUS_PY_CANCELLED = 4,
  APUS_PY_TIME_LIMIT = 5,
  APUS_PY_MEMORY_LIMIT = 6,
  // There are no workers (any more): `bytes` are a text.
  APUS_PY_UNSERVED = 7,
} APUS_PY_KIND;

typedef struct apus_py_result {
  int32_t kind;
  // How it ended, of what died: one of them is not -1.
  int32_t exit_code;
  int32_t signal;
  int32_t process;
  // Which element it is, and which part of it the worker was at.
  int64_t index;
  uint64_t part;
  const void *bytes;
  uint64_t length;
} apus_py_result;

typedef struct apus_py_statistics {
  int64_t submitted, queued, running, succeeded, failed, cancelled, retried, restarts, recycled;
} apus_py_statistics;

// Bytes in one of several places.
typedef struct apus_py_piece {
  const void *bytes;
  uint64_t length;
} apus_py_piece;

// What a worker is at.
typedef struct apus_py_task {
  // Which of its pool's workers it is, from 0 on.
  int64_t worker;
  // How often the element was tried before, in workers that died.
  int64_t tries;
  // What tells the element from others.
  uint64_t element;
} apus_py_task;

// In a worker: called with a function's definition, once, and with each of its elements; of a long one `bytes` is null, and
// `apus_py_worker_read` fetches it. Anything but 0 ends the element with the text of `apus_py_worker_fail`.
typedef struct apus_py_worker {
  int32_t (*define)(uint64_t function, const void *bytes, uint64_t length);
  int32_t (*run)(uint64_t function, const void *bytes, uint64_t length);
  void (*forget)(uint64_t function);
} apus_py_worker;

#endif
