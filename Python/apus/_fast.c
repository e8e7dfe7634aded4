// The calls that every task makes, for CPython: what `_native.py` does by ctypes, without its detours. It links with nothing of
// the engine: `bind` is told where its functions are.
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include "apus_python.h"

static void *(*engine_call)(void *, void *, const void *, uint64_t, const apus_py_options *, void *, apus_py_result *);
static int32_t (*job_next)(void *, apus_py_result *);
static int32_t (*job_wait)(void *, uint64_t);
static int32_t (*worker_serve)(const apus_py_worker *, char *, uint64_t);
static int32_t (*worker_emit)(const void *, uint64_t);
static void (*worker_fail)(const void *, uint64_t);

static PyObject *bind(PyObject *self, PyObject *arguments) {
  unsigned long long call, next, wait, serve, emit, fail;
  if (!PyArg_ParseTuple(arguments, "KKKKKK", &call, &next, &wait, &serve, &emit, &fail)) return NULL;
  *(void **)&engine_call = (void *)(uintptr_t)call;
  *(void **)&job_next = (void *)(uintptr_t)next;
  *(void **)&job_wait = (void *)(uintptr_t)wait;
  *(void **)&worker_serve = (void *)(uintptr_t)serve;
  *(void **)&worker_emit = (void *)(uintptr_t)emit;
  *(void **)&worker_fail = (void *)(uintptr_t)fail;
  Py_RETURN_NONE;
}

static PyObject *as_bytes(const apus_py_result *result) {
  return PyBytes_FromStringAndSize(result->bytes, (Py_ssize_t)result->length);
}

// call(pool, function, argument, buffer, time_limit, grace): the result's bytes if it came at once, else the job.
static PyObject *call(PyObject *self, PyObject *arguments) {
  unsigned long long pool, function, buffer, time_limit, grace;
  const char *bytes;
  Py_ssize_t length;
  if (!PyArg_ParseTuple(arguments, "KKy#KKK", &pool, &function, &bytes, &length, &buffer, &time_limit, &grace))
    return NULL;
  apus_py_options options = {.time_limit = time_limit, .grace = grace};
  apus_py_result result;
  void *job;
  Py_BEGIN_ALLOW_THREADS
  job = engine_call(
      (void *)(uintptr_t)pool, (void *)(uintptr_t)function, bytes, (uint64_t)length, &options, (void *)(uintptr_t)buffer,
      &result);
  Py_END_ALLOW_THREADS
  return job ? PyLong_FromVoidPtr(job) : as_bytes(&result);
}

// take(job): what has come back, a list of (index, bytes) for values and of longer tuples for everything else.
static PyObject *take(PyObject *self, PyObject *argument) {
  void *job = PyLong_AsVoidPtr(argument);
  if (PyErr_Occurred()) return NULL;
  PyObject *list = PyList_New(0);
  while (list) {
    apus_py_result result;
    int32_t kind;
    Py_BEGIN_ALLOW_THREADS
    kind = job_next(job, &result);
    Py_END_ALLOW_THREADS
    if (kind == APUS_PY_NOTHING) return list;
    PyObject *bytes = as_bytes(&result);
    PyObject *item = NULL;
    if (bytes && kind == APUS_PY_VALUE) {
      item = Py_BuildValue("LN", (long long)result.index, bytes);
    } else if (bytes) {
      item = Py_BuildValue(
          "LNiiiiK", (long long)result.index, bytes, kind, result.exit_code, result.signal, result.process,
          (unsigned long long)result.part);
    }
    if (!item || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_CLEAR(list);
      return NULL;
    }
    Py_DECREF(item);
  }
  return NULL;
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
static PyObject *define_function, *run_function, *forget_function;

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

static PyObject *apply(PyObject *function, uint64_t number, const void *bytes, uint64_t length) {
  return PyObject_CallFunction(function, "Ky#", (unsigned long long)number, (const char *)bytes, (Py_ssize_t)length);
}

static int32_t define(uint64_t number, const void *bytes, uint64_t length) {
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *done = apply(define_function, number, bytes, length);
  if (!done) tell_failure();
  Py_XDECREF(done);
  PyGILState_Release(state);
  return done ? 0 : 1;
}

static int32_t run(uint64_t number, const void *bytes, uint64_t length) {
  PyGILState_STATE state = PyGILState_Ensure();
  PyObject *made = apply(run_function, number, bytes, length);
  char *found = NULL;
  Py_ssize_t size = 0;
  int32_t status = 1;
  if (!made || PyBytes_AsStringAndSize(made, &found, &size) < 0) {
    tell_failure();
  } else {
    Py_BEGIN_ALLOW_THREADS
    status = worker_emit(found, (uint64_t)size);
    Py_END_ALLOW_THREADS
  }
  Py_XDECREF(made);
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

// serve(define, run, forget): None once the worker is told to stop, or why it could not serve.
static PyObject *serve(PyObject *self, PyObject *arguments) {
  if (!PyArg_ParseTuple(arguments, "OOO", &define_function, &run_function, &forget_function)) return NULL;
  static const apus_py_worker worker = {define, run, forget};
  char problem[4096] = "";
  int32_t failed;
  Py_BEGIN_ALLOW_THREADS
  failed = worker_serve(&worker, problem, sizeof problem);
  Py_END_ALLOW_THREADS
  if (!failed) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(problem, (Py_ssize_t)strlen(problem), "replace");
}

static PyMethodDef methods[] = {
    {"bind", bind, METH_VARARGS, NULL},
    {"call", call, METH_VARARGS, NULL},
    {"take", take, METH_O, NULL},
    {"wait", wait_for, METH_VARARGS, NULL},
    {"serve", serve, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_fast", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&definition); }
