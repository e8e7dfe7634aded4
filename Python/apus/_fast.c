// The calls that every task makes, for CPython: what `_native.py` does by ctypes, without its detours. It links with nothing of
// the engine: `open` loads it.
#include "_fast.h"

#include <dlfcn.h>

struct engine engine;

static const struct {
  const char *name;
  void *place;
} functions[] = {
    {"apus_py_call", &engine.call},
    {"apus_py_job_next", &engine.job_next},
    {"apus_py_job_wait", &engine.job_wait},
    {"apus_py_job_give", &engine.job_give},
    {"apus_py_job_keep", &engine.job_keep},
    {"apus_py_worker_serve", &engine.worker_serve},
    {"apus_py_worker_read", &engine.worker_read},
    {"apus_py_worker_emit", &engine.worker_emit},
    {"apus_py_worker_fail", &engine.worker_fail},
    {"apus_py_worker_part", &engine.worker_part},
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

static PyMethodDef methods[] = {
    {"open", open_library, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_fast", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__fast(void) {
  if (prepare_values() < 0 || prepare_serve() < 0) return NULL;
  PyObject *module = PyModule_Create(&definition);
  PyMethodDef *parts[] = {values_methods, calls_methods, serve_methods, arenas_methods};
  for (size_t i = 0; module && i < sizeof parts / sizeof parts[0]; i++)
    if (PyModule_AddFunctions(module, parts[i]) < 0) Py_CLEAR(module);
  return module;
}
