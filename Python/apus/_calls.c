// The program's side: gives tasks to a job, and takes what they have come to.
#include "_fast.h"

// What is longer is not copied, but looked at where the engine has it.
enum { LARGE = 64 << 10 };

// `memory` of `_native.py`.
static PyObject *view_of_memory;

// views_memory_by(function): what makes a view of the engine's memory.
static PyObject *views_memory_by(PyObject *self, PyObject *function) {
  Py_INCREF(function);
  view_of_memory = function;
  Py_RETURN_NONE;
}

static PyObject *as_bytes(const apus_py_result *result) {
  return PyBytes_FromStringAndSize(result->bytes, (Py_ssize_t)result->length);
}

// The values of a group if they are plain and nothing was raised. Null without an exception if not.
static PyObject *as_values(const apus_py_result *result) {
  if (result->length <= TRAILER || ((const char *)result->bytes)[result->length - 1] != VALUES) return NULL;
  return read_values(result->bytes, result->length - TRAILER);
}

// call(pool, function, arguments, names, buffer, time_limit, grace): see `_native.py`.
static PyObject *call(PyObject *self, PyObject *arguments) {
  unsigned long long pool, function, buffer, time_limit, grace;
  PyObject *values, *names;
  apus_bytes bytes = {0};
  if (!PyArg_ParseTuple(
          arguments, "KKOOKKK", &pool, &function, &values, &names, &buffer, &time_limit, &grace))
    return NULL;
  if (!write_call(&bytes, values, names)) {
    free(bytes.start);
    Py_RETURN_NONE;
  }
  apus_py_options options = {.time_limit = time_limit, .grace = grace};
  apus_py_result result;
  void *job;
  Py_BEGIN_ALLOW_THREADS
  job = engine.call(
      (void *)(uintptr_t)pool, (void *)(uintptr_t)function, bytes.start, bytes.size, &options,
      (void *)(uintptr_t)buffer, &result);
  Py_END_ALLOW_THREADS
  free(bytes.start);
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
  void *kept = result->length > LARGE ? engine.job_keep(job) : NULL;
  PyObject *bytes = kept ? PyObject_CallFunction(
                               view_of_memory, "KKK", (unsigned long long)(uintptr_t)kept,
                               (unsigned long long)(uintptr_t)result->bytes, (unsigned long long)result->length)
                         : as_bytes(result);
  return Py_BuildValue("LN", index, bytes);
}

// Puts the results of a group, if they are plain, into the list of all: the groups are of so many items, but for the last one.
static int store(PyObject *values, Py_ssize_t size, const apus_py_result *result) {
  Py_ssize_t count = PyList_Size(values);
  if (result->index < 0 || result->index > (count - 1) / size) return 0;
  Py_ssize_t first = (Py_ssize_t)result->index * size, length = count - first < size ? count - first : size;
  PyObject *found = as_values(result);
  int is_whole = found && PyList_Size(found) == length;
  for (Py_ssize_t i = 0; is_whole && i < length; i++) {
    PyObject *value = PyList_GetItem(found, i);
    Py_INCREF(value);
    PyList_SetItem(values, first + i, value);
  }
  Py_XDECREF(found);
  return is_whole;
}

// take(job, values, size): what has come back: see `_native.py`.
static PyObject *take(PyObject *self, PyObject *arguments) {
  unsigned long long job;
  PyObject *values;
  Py_ssize_t size, stored = 0;
  if (!PyArg_ParseTuple(arguments, "KOn", &job, &values, &size)) return NULL;
  PyObject *list = PyList_New(0);
  while (list) {
    apus_py_result result;
    int32_t kind;
    Py_BEGIN_ALLOW_THREADS
    kind = engine.job_next((void *)(uintptr_t)job, &result);
    Py_END_ALLOW_THREADS
    if (kind == APUS_PY_NOTHING) return Py_BuildValue("nN", stored, list);
    if (kind == APUS_PY_VALUE && PyList_Check(values) && store(values, size, &result)) {
      stored++;
      continue;
    }
    PyObject *item = item_of((void *)(uintptr_t)job, &result);
    if (!item || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_CLEAR(list);
      return NULL;
    }
    Py_DECREF(item);
  }
  return NULL;
}

// give(job, items, start, end, size, first): gives groups of plain items: see `_native.py`.
static PyObject *give(PyObject *self, PyObject *arguments) {
  unsigned long long job;
  PyObject *items;
  Py_ssize_t start, end, size, given = 0;
  long long first;
  if (!PyArg_ParseTuple(arguments, "KOnnnL", &job, &items, &start, &end, &size, &first)) return NULL;
  apus_bytes bytes = {0};
  uint64_t *ends = start < end ? malloc((size_t)((end - start - 1) / size + 1) * sizeof *ends) : NULL;
  while (ends && start < end && bytes.size < BATCH) {
    Py_ssize_t next = end - start < size ? end : start + size;
    if (!write_items(&bytes, items, start, next)) break;
    ends[given++] = bytes.size;
    start = next;
  }
  if (given) {
    Py_BEGIN_ALLOW_THREADS
    engine.job_give((void *)(uintptr_t)job, bytes.start, ends, given, first, 0);
    Py_END_ALLOW_THREADS
  }
  free(bytes.start);
  free(ends);
  return PyLong_FromSsize_t(given);
}

// wait(job, nanoseconds): whether there is something to do for whoever waits.
static PyObject *wait_for(PyObject *self, PyObject *arguments) {
  unsigned long long job, time;
  if (!PyArg_ParseTuple(arguments, "KK", &job, &time)) return NULL;
  int32_t is_there;
  Py_BEGIN_ALLOW_THREADS
  is_there = engine.job_wait((void *)(uintptr_t)job, time);
  Py_END_ALLOW_THREADS
  return PyBool_FromLong(is_there);
}

PyMethodDef calls_methods[] = {
    {"views_memory_by", views_memory_by, METH_O, NULL},
    {"call", call, METH_VARARGS, NULL},
    {"take", take, METH_VARARGS, NULL},
    {"give", give, METH_VARARGS, NULL},
    {"wait", wait_for, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
