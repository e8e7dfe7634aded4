// A worker's loop: what the engine calls in it, and plain values' quick way through it.
#include "_fast.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NO_PART UINT64_MAX

// A worker's functions, as `serve` was given them.
static PyObject *define_function, *run_function, *forget_function, *go_on_function;
// Of the functions that are called on items: pairs of how and what, by number.
static PyObject *known_functions;
static PyObject *flush_name;

static void tell_failure(void) {
  PyObject *kind, *value, *trace;
  PyErr_Fetch(&kind, &value, &trace);
  PyObject *text = value ? PyObject_Str(value) : NULL;
  if (!text) PyErr_Clear();
  PyObject *bytes = text ? PyUnicode_AsUTF8String(text) : NULL;
  char *found = NULL;
  Py_ssize_t length = 0;
  if (!bytes || PyBytes_AsStringAndSize(bytes, &found, &length) < 0) PyErr_Clear();
  engine.worker_fail(found ? found : "an exception", found ? (uint64_t)length : 12);
  Py_XDECREF(bytes);
  Py_XDECREF(text);
  Py_XDECREF(kind);
  Py_XDECREF(value);
  Py_XDECREF(trace);
}

static PyObject *apply(PyObject *function, uint64_t number, PyObject *data) {
  if (!data) return NULL;
  PyObject *made = PyObject_CallFunction(function, "KO", (unsigned long long)number, data);
  Py_DECREF(data);
  return made;
}

static int32_t define(uint64_t number, const void *bytes, uint64_t length) {
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *done = apply(define_function, number, PyBytes_FromStringAndSize(bytes, (Py_ssize_t)length));
  if (!done) tell_failure();
  Py_XDECREF(done);
  PyGILState_Release(state);
  return done ? 0 : 1;
}

static void flush(const char *name) {
  PyObject *stream = PySys_GetObject(name);
  Py_XINCREF(stream);
  PyObject *done = stream ? PyObject_CallMethodObjArgs(stream, flush_name, NULL) : NULL;
  if (!done) PyErr_Clear();
  Py_XDECREF(done);
  Py_XDECREF(stream);
}

enum HOW { ON_ONE, ON_ARGUMENTS, ON_CALL };

static PyObject *call_on(long how, PyObject *function, PyObject *item) {
  if (how == ON_ONE) return PyObject_CallFunctionObjArgs(function, item, NULL);
  if (how == ON_ARGUMENTS) {
    PyObject *arguments = PySequence_Tuple(item);
    PyObject *value = arguments ? PyObject_CallObject(function, arguments) : NULL;
    Py_XDECREF(arguments);
    return value;
  }
  if (how == ON_CALL && Py_TYPE(item) == &PyTuple_Type && PyTuple_Size(item) == 2)
    return PyObject_Call(function, PyTuple_GetItem(item, 0), PyTuple_GetItem(item, 1));
  PyErr_SetString(PyExc_TypeError, "the arguments of a task are no tuple");
  return NULL;
}

// The exception that was raised.
static PyObject *take_raised(void) {
  PyObject *kind, *value, *trace;
  PyErr_Fetch(&kind, &value, &trace);
  PyErr_NormalizeException(&kind, &value, &trace);
  if (trace) PyException_SetTraceback(value, trace);
  Py_XDECREF(kind);
  Py_XDECREF(trace);
  return value;
}

static int32_t emit(const void *bytes, uint64_t length) {
  int32_t status;
  Py_BEGIN_ALLOW_THREADS
  status = engine.worker_emit(bytes, length);
  Py_END_ALLOW_THREADS
  return status;
}

// Emits what Python has made of an element: bytes, or None if it has emitted them itself.
static int32_t emit_made(PyObject *made) {
  char *found = NULL;
  Py_ssize_t size = 0;
  int32_t status = 0;
  if (!made || (made != Py_None && PyBytes_AsStringAndSize(made, &found, &size) < 0)) {
    tell_failure();
    status = 1;
  } else if (made != Py_None) {
    status = emit(found, (uint64_t)size);
  }
  Py_XDECREF(made);
  return status;
}

static uint64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// Emits values if all are plain. -1 if not.
static int32_t emit_plain(PyObject *values, uint64_t elapsed) {
  static apus_bytes bytes;
  bytes.size = 0;
  if (!write_values(&bytes, values) || !has_room_for(&bytes, TRAILER)) return -1;
  char *trailer = bytes.start + bytes.size;
  memcpy(trailer, &elapsed, sizeof elapsed);
  trailer[TRAILER - 1] = VALUES;
  int32_t status = emit(bytes.start, bytes.size + TRAILER);
  if (bytes.capacity > BATCH) {
    free(bytes.start);
    bytes = (apus_bytes){0};
  }
  return status;
}

// How the bytes of a group begin that may be handed back in part, and after how many nanoseconds.
enum { MAY_STOP = 1, STOP_AFTER = 5000000 };

// The quickest way: calls a function that is known on the items of a group, if these bytes are a group of plain ones. -1 if they
// are not.
static int32_t run_quickly(uint64_t number, const void *bytes, uint64_t length) {
  PyObject *key = PyLong_FromUnsignedLongLong(number);
  PyObject *pair = key ? PyDict_GetItem(known_functions, key) : NULL;
  Py_XDECREF(key);
  if (!pair || length == 0) {
    PyErr_Clear();
    return -1;
  }
  int may_stop = *(const char *)bytes == MAY_STOP;
  uint64_t started = may_stop ? now(CLOCK_MONOTONIC) : 0;
  // Of four milliseconds, but it costs next to nothing.
  uint64_t stop = may_stop ? now(CLOCK_MONOTONIC_COARSE) + STOP_AFTER : UINT64_MAX;
  PyObject *items = read_values((const char *)bytes + may_stop, length - (uint64_t)may_stop);
  PyObject *values = items ? PyList_New(0) : NULL;
  if (!values) {
    PyErr_Clear();
    Py_XDECREF(items);
    return -1;
  }
  Py_ssize_t end = PyList_Size(items), place = 0;
  PyObject *how = PyTuple_GetItem(pair, 0), *function = PyTuple_GetItem(pair, 1);
  // The function may be forgotten meanwhile, by a thread of the task's.
  Py_INCREF(pair);
  uint64_t *part = engine.worker_part();
  PyObject *error = NULL;
  while (place < end) {
    *part = (uint64_t)place;
    PyObject *value = call_on(PyLong_AsLong(how), function, PyList_GetItem(items, place));
    place++;
    if (!value || PyList_Append(values, value) < 0) error = take_raised();
    Py_XDECREF(value);
    if (error) break;
    if (may_stop && now(CLOCK_MONOTONIC_COARSE) > stop) end = place;
  }
  *part = NO_PART;
  int32_t status = -1;
  if (!error) {
    // What they printed is in the pipe before their results can be seen.
    flush("stdout");
    flush("stderr");
    status = emit_plain(values, may_stop ? now(CLOCK_MONOTONIC) - started : 0);
  }
  if (status < 0)
    status = emit_made(PyObject_CallFunction(
        go_on_function, "OOOOOnnKi", how, function, items, values, error ? error : Py_None, place, end,
        (unsigned long long)started, may_stop));
  Py_XDECREF(error);
  Py_DECREF(values);
  Py_DECREF(items);
  Py_DECREF(pair);
  return status;
}

// The bytes of the last long element. Memory that is new to a process takes longer to get than to fill, so the next long element is
// put there if nobody looks at this one any more. Any other element lets go of it, and meanwhile the kernel may take it.
static PyObject *last_long;
enum { LONGEST_KEPT = 128 << 20 };

static int is_last_long_free(void) { return last_long && Py_REFCNT(last_long) == 1; }

static void offer_last_long(void) {
  if (!is_last_long_free()) return;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)PyByteArray_AsString(last_long);
  uintptr_t first = (start + page - 1) & -page, end = (start + (uintptr_t)PyByteArray_Size(last_long)) & -page;
  if (first < end) madvise((void *)first, end - first, MADV_FREE);
}

// Bytes to be filled.
static PyObject *bytes_for(uint64_t length) {
  int is_free = is_last_long_free();
  PyObject *data = last_long;
  last_long = NULL;
  if (is_free && (uint64_t)PyByteArray_Size(data) >= length && PyByteArray_Resize(data, (Py_ssize_t)length) == 0)
    return data;
  PyErr_Clear();
  Py_XDECREF(data);
  return PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)length);
}

// A long element, fetched.
static PyObject *arrived(uint64_t length) {
  PyObject *data = bytes_for(length);
  if (!data) return NULL;
  char *place = PyByteArray_AsString(data);
  int32_t failed;
  Py_BEGIN_ALLOW_THREADS
  failed = engine.worker_read(place, length);
  Py_END_ALLOW_THREADS
  if (!failed) {
    if (length <= LONGEST_KEPT) {
      Py_INCREF(data);
      last_long = data;
    }
    return data;
  }
  Py_DECREF(data);
  PyErr_SetString(PyExc_RuntimeError, "an argument has not come as a whole");
  return NULL;
}

static int32_t run(uint64_t number, const void *bytes, uint64_t length) {
  PyGILState_STATE state = PyGILState_Ensure();
  if (bytes) Py_CLEAR(last_long);
  int32_t status = bytes ? run_quickly(number, bytes, length) : -1;
  if (status < 0) {
    PyObject *data = bytes ? PyBytes_FromStringAndSize(bytes, (Py_ssize_t)length) : arrived(length);
    status = emit_made(apply(run_function, number, data));
    offer_last_long();
  }
  PyGILState_Release(state);
  return status;
}

static void forget(uint64_t number) {
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *done = PyObject_CallFunction(forget_function, "K", (unsigned long long)number);
  if (!done) PyErr_Clear();
  Py_XDECREF(done);
  PyGILState_Release(state);
}

// serve(define, run, forget, functions, go_on): None once the worker is told to stop, or why it could not serve.
static PyObject *serve(PyObject *self, PyObject *arguments) {
  if (!PyArg_ParseTuple(
          arguments, "OOOO!O", &define_function, &run_function, &forget_function, &PyDict_Type, &known_functions,
          &go_on_function))
    return NULL;
  static const apus_py_worker worker = {define, run, forget};
  char problem[4096] = "";
  int32_t failed;
  Py_BEGIN_ALLOW_THREADS
  failed = engine.worker_serve(&worker, problem, sizeof problem);
  Py_END_ALLOW_THREADS
  if (!failed) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(problem, (Py_ssize_t)strlen(problem), "replace");
}

// part(): a view of the number that says which part of an element the worker is at.
static PyObject *part(PyObject *self, PyObject *none) {
  return PyMemoryView_FromMemory(engine.worker_part(), sizeof(uint64_t), PyBUF_WRITE);
}

PyMethodDef serve_methods[] = {
    {"serve", serve, METH_VARARGS, NULL},
    {"part", part, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int prepare_serve(void) {
  flush_name = PyUnicode_InternFromString("flush");
  return flush_name ? 0 : -1;
}
