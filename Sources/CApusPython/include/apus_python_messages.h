// What Python sees of messages between ranks. A message is bytes and a word that says what they are, which is Python's
// own: see `_message_kinds.py`.
//
// A call that can fail returns 0, or what is wrong with `problem` filled in. A call that waits does not return before its
// end, unless a signal's handler raises (`apus_py_signals`).
#ifndef APUS_PYTHON_MESSAGES_H
#define APUS_PYTHON_MESSAGES_H

#include <stdint.h>

// What went wrong: `MessageError.Code`, and what only this interface has.
typedef enum APUS_PY_PROBLEM {
  // Of a call that was not to wait: it would have to.
  APUS_PY_NOT_YET = -1,
  APUS_PY_OTHER = 1,
  APUS_PY_INVALID_ARGUMENT = 2,
  APUS_PY_TYPE_MISMATCH = 3,
  APUS_PY_TOO_LONG = 4,
  APUS_PY_RANK_FAILED = 5,
  APUS_PY_RANK_ENDED = 6,
  APUS_PY_COLLECTIVE_FAILED = 7,
  APUS_PY_DEADLOCK = 8,
  APUS_PY_FINALIZED = 9,
  APUS_PY_CONCURRENT_USE = 10,
  APUS_PY_TRANSPORT = 11,
  APUS_PY_NO_RESOURCES = 12,
  APUS_PY_START_UP_FAILED = 13,
  // The handler of a signal has raised, and `apus_py_signals` keeps what.
  APUS_PY_INTERRUPTED = 14,
  // The caller gave no room for the message, which is gone.
  APUS_PY_REFUSED = 15,
  APUS_PY_CANCELLED_REQUEST = 16,
} APUS_PY_PROBLEM;

typedef struct apus_py_problem {
  int32_t code;
  // Which rank it is about; -1: none.
  int32_t rank;
  char text[4088];
} apus_py_problem;

typedef struct apus_py_message {
  int64_t source, tag;
  uint64_t kind, count;
} apus_py_message;

// Called with each value that has come, on the thread of the call: where its bytes are to go. Null: there is no place.
typedef void *(*apus_py_room)(void *context, const apus_py_message *message);

// A value to be sent.
typedef struct apus_py_value {
  const void *bytes;
  uint64_t count, kind;
} apus_py_value;

// Elements of reductions, and their operators.
typedef enum APUS_PY_ELEMENT {
  APUS_PY_BOOL = 0,
  APUS_PY_INT8,
  APUS_PY_INT16,
  APUS_PY_INT32,
  APUS_PY_INT64,
  APUS_PY_UINT8,
  APUS_PY_UINT16,
  APUS_PY_UINT32,
  APUS_PY_UINT64,
  APUS_PY_FLOAT32,
  APUS_PY_FLOAT64,
} APUS_PY_ELEMENT;

typedef enum APUS_PY_OPERATION {
  APUS_PY_SUM = 0,
  APUS_PY_PRODUCT,
  APUS_PY_MIN,
  APUS_PY_MAX,
  APUS_PY_LOGICAL_AND,
  APUS_PY_LOGICAL_OR,
  APUS_PY_LOGICAL_XOR,
  APUS_PY_BITWISE_AND,
  APUS_PY_BITWISE_OR,
  APUS_PY_BITWISE_XOR,
} APUS_PY_OPERATION;

// Which reduction: each rank's result is that of all ranks, of those up to it, or of those before it.
typedef enum APUS_PY_REDUCTION {
  APUS_PY_ALL_REDUCE = 0,
  APUS_PY_REDUCE,
  APUS_PY_SCAN,
  APUS_PY_EXCLUSIVE_SCAN,
  APUS_PY_REDUCE_SCATTER,
} APUS_PY_REDUCTION;

// The interpreter's functions PyGILState_Ensure, PyGILState_Release, PyErr_CheckSignals, PyErr_Fetch.
typedef struct apus_py_interpreter {
  int (*ensure)(void);
  void (*release)(int);
  int (*check_signals)(void);
  void (*fetch)(void **kind, void **value, void **trace);
} apus_py_interpreter;

// Has waits look at signals; not any more if all four are null: the interpreter ends.
void apus_py_signals(const apus_py_interpreter *interpreter);

// What a handler has raised: three objects, each null or a reference that is the caller's from now on. All null: nothing.
void apus_py_signals_raised(void *raised[3]);

// For the library: whether a handler has just raised.
int32_t apus_py_signals_check(void);

#endif
