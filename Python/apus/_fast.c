// The calls that every task makes, for CPython: what `_native.py` does by ctypes, without its detours. It links with nothing of
// the engine: `open` loads it.
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>
#include <dlfcn.h>
#include <time.h>

#include "apus_python.h"

// In the limited API these are missing before 3.11.
#ifndef PyBUF_READ
#define PyBUF_READ 0x100
#define PyBUF_WRITE 0x200
#endif

static void *(*engine_call)(void *, void *, const void *, uint64_t, const apus_py_options *, void *, apus_py_result *);
static int32_t (*job_next)(void *, apus_py_result *);
static int32_t (*job_wait)(void *, uint64_t);
static void (*job_give)(void *, const void *, const uint64_t *, int64_t, int64_t, int32_t);
static void *(*job_keep)(void *);
static int32_t (*worker_serve)(const apus_py_worker *, char *, uint64_t);
static int32_t (*worker_read)(void *, uint64_t);
static int32_t (*worker_emit)(const void *, uint64_t);
static void (*worker_fail)(const void *, uint64_t);
static void *(*worker_part)(void);

static const struct {
  const char *name;
  void *place;
} functions[] = {
    {"apus_py_call", &engine_call},        {"apus_py_job_next", &job_next},         {"apus_py_job_wait", &job_wait},
    {"apus_py_job_give", &job_give},       {"apus_py_job_keep", &job_keep},         {"apus_py_worker_serve", &worker_serve},
    {"apus_py_worker_read", &worker_read}, {"apus_py_worker_emit", &worker_emit},   {"apus_py_worker_fail", &worker_fail},
    {"apus_py_worker_part", &worker_part},
};

// open(path): loads the engine.
static PyObject *open_library(PyObject *self, PyObject *path) {
  PyObject *name;
  if (!PyUnicode_FSConverter(path, &name)) return NULL;
  void *library = dlopen(PyBytes_AsString(name), RTLD_NOW | RTLD_LOCAL);
  Py_DECREF(name);
  for (size_t i = 0; library && i < sizeof functions / sizeof functions[0]; i++) {
    void *found = dlsym(library, functions[i].name);
    if (!found) library = NULL;
    memcpy(functions[i].place, &found, sizeof found);
  }
  if (library) Py_RETURN_NONE;
  PyErr_SetString(PyExc_ImportError, dlerror());
  return NULL;
}

// `memory` of `_native.py`.
static PyObject *view_of_memory;

// views_memory_by(function): what makes a view of the engine's memory.
static PyObject *views_memory_by(PyObject *self, PyObject *function) {
  Py_INCREF(function);
  view_of_memory = function;
  Py_RETURN_NONE;
}

// Plain values: those of a few immutable types of Python's own. They travel by `marshal`, which takes half as long as `pickle`
// for a single one (as long for many), but knows neither other types nor what is one object twice.

enum { DEPTH = 4, LONGEST_TEXT = 1024, ROOM = 1 << 20, MARSHAL_VERSION = 2 };
// More bytes than this are not copied.
enum { LARGE = 64 << 10 };
// How `marshal` begins a list, and what is behind the values of a group (`_protocol.py`): how long it took, and what it is.
enum { MARSHALLED = '[', TRAILER = 9, VALUES = 0 };
#define NO_PART UINT64_MAX

static PyObject *marshal_dumps, *marshal_loads, *marshal_version;

// `room` is how much more of them may be written: what is shared would be written again and again.
static int is_plain(PyObject *value, int depth, Py_ssize_t *room) {
  PyTypeObject *type = Py_TYPE(value);
  if (--*room < 0) return 0;
  if (type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None) return 1;
  if (type == &PyUnicode_Type || type == &PyBytes_Type) {
    Py_ssize_t length = type == &PyBytes_Type ? PyBytes_Size(value) : PyUnicode_GetLength(value);
    *room -= length / 8;
    return length <= LONGEST_TEXT;
  }
  if (type != &PyTuple_Type || depth == 0) return 0;
  for (Py_ssize_t i = 0, count = PyTuple_Size(value); i < count; i++)
    if (!is_plain(PyTuple_GetItem(value, i), depth - 1, room)) return 0;
  return 1;
}

static int are_plain(PyObject *list) {
  Py_ssize_t room = ROOM;
  for (Py_ssize_t i = 0, count = PyList_Size(list); i < count; i++)
    if (!is_plain(PyList_GetItem(list, i), DEPTH, &room)) return 0;
  return 1;
}

static PyObject *marshalled(PyObject *list) {
  return PyObject_CallFunctionObjArgs(marshal_dumps, list, marshal_version, NULL);
}

// plain(list): its bytes, or None if not all in it is plain.
static PyObject *plain(PyObject *self, PyObject *list) {
  if (Py_TYPE(list) != &PyList_Type || !are_plain(list)) Py_RETURN_NONE;
  return marshalled(list);
}

static PyObject *marshalled_call(PyObject *values, PyObject *names) {
  PyObject *name, *value;
  Py_ssize_t place = 0, room = ROOM;
  if (Py_TYPE(values) != &PyTuple_Type || Py_TYPE(names) != &PyDict_Type || !is_plain(values, DEPTH, &room)) Py_RETURN_NONE;
  while (PyDict_Next(names, &place, &name, &value))
    if (!is_plain(name, 0, &room) || !is_plain(value, DEPTH, &room)) Py_RETURN_NONE;
  PyObject *list = Py_BuildValue("[(OO)]", values, names);
  PyObject *bytes = list ? marshalled(list) : NULL;
  Py_XDECREF(list);
  return bytes;
}

// plain_call(arguments, names): the same of a list of this one pair.
static PyObject *plain_call(PyObject *self, PyObject *arguments) {
  PyObject *values, *names;
  if (!PyArg_ParseTuple(arguments, "OO", &values, &names)) return NULL;
  return marshalled_call(values, names);
}

static PyObject *gc_is_enabled, *gc_disable, *gc_enable;

static int call_gc(PyObject *function) {
  PyObject *result = PyObject_CallFunctionObjArgs(function, NULL);
  int is_true = result == Py_True;
  Py_XDECREF(result);
  return is_true;
}

// The list that begins with these bytes; what follows it is not looked at. Null without an exception if they are no such.
static PyObject *unmarshalled(const void *bytes, uint64_t length) {
  if (length == 0 || *(const char *)bytes != MARSHALLED) return NULL;
  PyObject *view = PyMemoryView_FromMemory((char *)bytes, (Py_ssize_t)length, PyBUF_READ);
  // Many objects, none of them garbage: the collector would look at them again and again.
  int pauses_gc = length > 4096 && call_gc(gc_is_enabled);
  if (pauses_gc) call_gc(gc_disable);
  PyObject *list = view ? PyObject_CallFunctionObjArgs(marshal_loads, view, NULL) : NULL;
  if (!list) PyErr_Clear();
  if (pauses_gc) call_gc(gc_enable);
  Py_XDECREF(view);
  if (list && Py_TYPE(list) != &PyList_Type) Py_CLEAR(list);
  return list;
}

static PyObject *as_bytes(const apus_py_result *result) {
  return PyBytes_FromStringAndSize(result->bytes, (Py_ssize_t)result->length);
}

// The values of a group if they are plain and nothing was raised. Null without an exception if not.
static PyObject *as_values(const apus_py_result *result) {
  if (result->length <= TRAILER || ((const char *)result->bytes)[result->length - 1] != VALUES) return NULL;
  return unmarshalled(result->bytes, result->length - TRAILER);
}

// call(pool, function, arguments, names, buffer, time_limit, grace): see `_native.py`.
static PyObject *call(PyObject *self, PyObject *arguments) {
  unsigned long long pool, function, buffer, time_limit, grace;
  PyObject *values, *names;
  char *bytes;
  Py_ssize_t length;
  if (!PyArg_ParseTuple(
          arguments, "KKOOKKK", &pool, &function, &values, &names, &buffer, &time_limit, &grace))
    return NULL;
  PyObject *argument = marshalled_call(values, names);
  if (!argument || argument == Py_None) return argument;
  if (PyBytes_AsStringAndSize(argument, &bytes, &length) < 0) {
    Py_DECREF(argument);
    return NULL;
  }
  apus_py_options options = {.time_limit = time_limit, .grace = grace};
  apus_py_result result;
  void *job;
  Py_BEGIN_ALLOW_THREADS
  job = engine_call(
      (void *)(uintptr_t)pool, (void *)(uintptr_t)function, bytes, (uint64_t)length, &options, (void *)(uintptr_t)buffer,
      &result);
  Py_END_ALLOW_THREADS
  Py_DECREF(argument);
  if (job) return PyLong_FromVoidPtr(job);
  // A copy: while it is read the collector may run a finalizer that calls again, and its result is put where this one is.
  PyObject *copied = as_bytes(&result);
  if (!copied) return NULL;
  result.bytes = PyBytes_AsString(copied);
  PyObject *found = as_values(&result);
  if (!found) return copied;
  Py_DECREF(copied);
  return found;
}

// One result of a job, as `take` lists it.
static PyObject *item_of(void *job, const apus_py_result *result) {
  long long index = (long long)result->index;
  if (result->kind != APUS_PY_VALUE)
    return Py_BuildValue(
        "LNiiiiK", index, as_bytes(result), result->kind, result->exit_code, result->signal, result->process,
        (unsigned long long)result->part);
  PyObject *values = as_values(result);
  if (values) {
    uint64_t elapsed;
    memcpy(&elapsed, (const char *)result->bytes + result->length - TRAILER, sizeof elapsed);
    return Py_BuildValue("LNKK", index, values, (unsigned long long)elapsed, (unsigned long long)result->length);
  }
  void *kept = result->length > LARGE ? job_keep(job) : NULL;
  PyObject *bytes = kept ? PyObject_CallFunction(
                               view_of_memory, "KKK", (unsigned long long)(uintptr_t)kept,
                               (unsigned long long)(uintptr_t)result->bytes, (unsigned long long)result->length)
                         : as_bytes(result);
  return Py_BuildValue("LN", index, bytes);
}

// take(job, values): what has come back: see `_native.py`.
static PyObject *take(PyObject *self, PyObject *arguments) {
  unsigned long long job;
  PyObject *values;
  if (!PyArg_ParseTuple(arguments, "KO", &job, &values)) return NULL;
  Py_ssize_t count = values == Py_None ? 0 : PyList_Size(values), stored = 0;
  PyObject *list = PyList_New(0);
  while (list && count >= 0) {
    apus_py_result result;
    int32_t kind;
    Py_BEGIN_ALLOW_THREADS
    kind = job_next((void *)(uintptr_t)job, &result);
    Py_END_ALLOW_THREADS
    if (kind == APUS_PY_NOTHING) return Py_BuildValue("nN", stored, list);
    if (kind == APUS_PY_VALUE && result.index < count) {
      PyObject *found = as_values(&result);
      PyObject *value = found && PyList_Size(found) == 1 ? PyList_GetItem(found, 0) : NULL;
      Py_XINCREF(value);
      Py_XDECREF(found);
      if (value) {
        PyList_SetItem(values, (Py_ssize_t)result.index, value);
        stored++;
        continue;
      }
    }
    PyObject *item = item_of((void *)(uintptr_t)job, &result);
    if (!item || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_CLEAR(list);
      return NULL;
    }
    Py_DECREF(item);
  }
  Py_XDECREF(list);
  return NULL;
}

// No more bytes than about so many are given at once.
enum { BATCH = 4 << 20 };

// Memory that grows.
static int has_room(void **memory, size_t *capacity, size_t needed) {
  if (needed <= *capacity) return 1;
  size_t larger = needed > 2 * *capacity ? needed : 2 * *capacity;
  void *moved = realloc(*memory, larger);
  if (!moved) return 0;
  *memory = moved;
  *capacity = larger;
  return 1;
}

// give(job, items, first): gives as many elements as there are plain items at the beginning of the list, each by itself; `first`
// is the index of the first. Returns how many.
static PyObject *give(PyObject *self, PyObject *arguments) {
  unsigned long long job;
  PyObject *items;
  long long first;
  if (!PyArg_ParseTuple(arguments, "KO!L", &job, &PyList_Type, &items, &first)) return NULL;
  Py_ssize_t count = PyList_Size(items), given = 0;
  void *bytes = NULL, *ends = malloc((size_t)(count ? count : 1) * sizeof(uint64_t));
  size_t capacity = 0, size = 0;
  PyObject *single = PyList_New(1);
  for (; ends && single && given < count && size < BATCH; given++) {
    PyObject *item = PyList_GetItem(items, given);
    Py_ssize_t room = ROOM;
    if (!is_plain(item, DEPTH, &room)) break;
    Py_INCREF(item);
    PyList_SetItem(single, 0, item);
    PyObject *made = marshalled(single);
    char *found;
    Py_ssize_t length;
    if (!made || PyBytes_AsStringAndSize(made, &found, &length) < 0 || !has_room(&bytes, &capacity, size + (size_t)length)) {
      // The usual way finds out why.
      PyErr_Clear();
      Py_XDECREF(made);
      break;
    }
    memcpy((char *)bytes + size, found, (size_t)length);
    Py_DECREF(made);
    size += (size_t)length;
    ((uint64_t *)ends)[given] = size;
  }
  Py_XDECREF(single);
  if (given) {
    Py_BEGIN_ALLOW_THREADS
    job_give((void *)(uintptr_t)job, bytes, ends, given, first, 0);
    Py_END_ALLOW_THREADS
  }
  free(bytes);
  free(ends);
  return PyLong_FromSsize_t(given);
}

// wait(job, nanoseconds): whether there is something to do for whoever waits.
static PyObject *wait_for(PyObject *self, PyObject *arguments) {
  unsigned long long job, time;
  if (!PyArg_ParseTuple(arguments, "KK", &job, &time)) return NULL;
  int32_t is_there;
  Py_BEGIN_ALLOW_THREADS
  is_there = job_wait((void *)(uintptr_t)job, time);
  Py_END_ALLOW_THREADS
  return PyBool_FromLong(is_there);
}

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
  worker_fail(found ? found : "an exception", found ? (uint64_t)length : 12);
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
  status = worker_emit(bytes, length);
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
  static void *copy;
  static size_t capacity;
  char *found;
  Py_ssize_t size;
  if (!are_plain(values)) return -1;
  PyObject *bytes = marshalled(values);
  if (!bytes || PyBytes_AsStringAndSize(bytes, &found, &size) < 0 || !has_room(&copy, &capacity, (size_t)size + TRAILER)) {
    PyErr_Clear();
    Py_XDECREF(bytes);
    return -1;
  }
  memcpy(copy, found, (size_t)size);
  Py_DECREF(bytes);
  char *trailer = (char *)copy + size;
  memcpy(trailer, &elapsed, sizeof elapsed);
  trailer[TRAILER - 1] = VALUES;
  int32_t status = emit(copy, (uint64_t)size + TRAILER);
  if (capacity > BATCH) {
    free(copy);
    copy = NULL;
    capacity = 0;
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
  PyObject *items = unmarshalled((const char *)bytes + may_stop, length - (uint64_t)may_stop);
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
  uint64_t *part = worker_part();
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

// A long element, fetched.
static PyObject *arrived(uint64_t length) {
  PyObject *data = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)length);
  if (!data) return NULL;
  char *place = PyByteArray_AsString(data);
  int32_t failed;
  Py_BEGIN_ALLOW_THREADS
  failed = worker_read(place, length);
  Py_END_ALLOW_THREADS
  if (!failed) return data;
  Py_DECREF(data);
  PyErr_SetString(PyExc_RuntimeError, "an argument has not come as a whole");
  return NULL;
}

static int32_t run(uint64_t number, const void *bytes, uint64_t length) {
  PyGILState_STATE state = PyGILState_Ensure();
  int32_t status = bytes ? run_quickly(number, bytes, length) : -1;
  if (status < 0) {
    PyObject *data = bytes ? PyBytes_FromStringAndSize(bytes, (Py_ssize_t)length) : arrived(length);
    status = emit_made(apply(run_function, number, data));
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
  failed = worker_serve(&worker, problem, sizeof problem);
  Py_END_ALLOW_THREADS
  if (!failed) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(problem, (Py_ssize_t)strlen(problem), "replace");
}

// part(): a view of the number that says which part of an element the worker is at.
static PyObject *part(PyObject *self, PyObject *none) {
  return PyMemoryView_FromMemory(worker_part(), sizeof(uint64_t), PyBUF_WRITE);
}

static PyMethodDef methods[] = {
    {"open", open_library, METH_O, NULL},
    {"views_memory_by", views_memory_by, METH_O, NULL},
    {"call", call, METH_VARARGS, NULL},
    {"take", take, METH_VARARGS, NULL},
    {"give", give, METH_VARARGS, NULL},
    {"wait", wait_for, METH_VARARGS, NULL},
    {"serve", serve, METH_VARARGS, NULL},
    {"part", part, METH_NOARGS, NULL},
    {"plain", plain, METH_O, NULL},
    {"plain_call", plain_call, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_fast", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

static PyObject *member(const char *module, const char *name) {
  PyObject *found = PyImport_ImportModule(module);
  PyObject *value = found ? PyObject_GetAttrString(found, name) : NULL;
  Py_XDECREF(found);
  return value;
}

PyMODINIT_FUNC PyInit__fast(void) {
  marshal_dumps = member("marshal", "dumps");
  marshal_loads = marshal_dumps ? member("marshal", "loads") : NULL;
  gc_is_enabled = marshal_loads ? member("gc", "isenabled") : NULL;
  gc_disable = gc_is_enabled ? member("gc", "disable") : NULL;
  gc_enable = gc_disable ? member("gc", "enable") : NULL;
  marshal_version = PyLong_FromLong(MARSHAL_VERSION);
  flush_name = PyUnicode_InternFromString("flush");
  return gc_enable && marshal_version && flush_name ? PyModule_Create(&definition) : NULL;
}
