// Sending and receiving for CPython: what `_messages.py` does by ctypes, without its detours. It links with nothing of the
// library: `bind` is told where its functions are. What is rare is asked of Python: `hooks`.
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include "apus_python_messages.h"

// Buffers and fast calls are part of the limited API from 3.11 and 3.10 on, and have been the same since before 3.9.
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif

typedef struct view {
  void *buf;
  PyObject *obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char *format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void *internal;
} view;

extern int PyObject_GetBuffer(PyObject *object, view *view, int flags);
extern void PyBuffer_Release(view *view);
enum { WRITABLE = 0x1, FORMAT = 0x4, STRIDES = 0x18, ANY_CONTIGUOUS = 0x80 | STRIDES };

// The word that says what a message is; as `_message_kinds.py` has it.
enum { PICKLE = 1, BYTES = 2, TEXT = 3, ARRAY = 4 };
static const char *const formats[] = {
    "?", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "e", "f", "d", "g", "Zf", "Zd", "Zg",
};
enum { FORMATS = sizeof formats / sizeof *formats };
static const int CODE_SHIFT = 8, FORTRAN_SHIFT = 13, DIMENSIONS_SHIFT = 14, SHAPE_SHIFT = 18, SHAPE_BITS = 46;

// What is longer is copied with the interpreter's lock free.
static const uint64_t LONG_COPY = 64 << 10;

static int32_t (*engine_send)(void *, const apus_py_value *, int64_t, int64_t, int32_t, apus_py_problem *);
static int32_t (*engine_receive)(void *, int64_t, int64_t, int32_t, apus_py_room, void *, apus_py_problem *);
static void (*engine_raised)(void *[3]);

static PyObject *dumps, *loads, *protocol;
// encode(object): kind and bytes. decode(kind, bytes): the object. problem(code, rank, text): raises. status(source, tag, nbytes).
// numpy(): calls `know_numpy`.
static PyObject *encode_hook, *decode_hook, *problem_hook, *status_hook, *numpy_hook;
static PyObject *ndarray, *empty, *dtypes, *fortran;

// While an object is made for a message that is being taken, nothing else may be asked of the library: a finaliser might.
static _Thread_local int is_taking;

static PyObject *bind(PyObject *self, PyObject *arguments) {
  unsigned long long send, receive, raised;
  if (!PyArg_ParseTuple(
          arguments, "KKKOOOOOOOO", &send, &receive, &raised, &dumps, &loads, &protocol, &encode_hook, &decode_hook,
          &problem_hook, &status_hook, &numpy_hook))
    return NULL;
  *(void **)&engine_send = (void *)(uintptr_t)send;
  *(void **)&engine_receive = (void *)(uintptr_t)receive;
  *(void **)&engine_raised = (void *)(uintptr_t)raised;
  Py_INCREF(arguments);  // and so all that is in it
  Py_RETURN_NONE;
}

// know_numpy(ndarray, empty, dtypes): the types of elements, in the order of `formats`.
static PyObject *know_numpy(PyObject *self, PyObject *arguments) {
  if (!PyArg_ParseTuple(arguments, "OOO", &ndarray, &empty, &dtypes)) return NULL;
  Py_INCREF(arguments);
  Py_RETURN_NONE;
}

static PyObject *raise(const apus_py_problem *problem) {
  if (problem->code == APUS_PY_INTERRUPTED) {
    void *raised[3];
    engine_raised(raised);
    PyErr_Restore(raised[0], raised[1], raised[2]);
    if (PyErr_Occurred()) return NULL;
  }
  PyObject *text = PyUnicode_DecodeUTF8(problem->text, (Py_ssize_t)strlen(problem->text), "replace");
  PyObject *done = text ? PyObject_CallFunction(problem_hook, "iiO", problem->code, problem->rank, text) : NULL;
  Py_XDECREF(text);
  Py_XDECREF(done);
  if (done) PyErr_SetString(PyExc_SystemError, "a problem that is none");
  return NULL;
}

static int format_code(const char *format) {
  if (!format) return 2;
  for (int code = 0; code < FORMATS; code++) {
    if (strcmp(format, formats[code]) == 0) return code;
  }
  return -1;
}

static int is_c_contiguous(const view *view) {
  Py_ssize_t expected = view->itemsize;
  for (int index = view->ndim - 1; index >= 0; index--) {
    if (view->shape[index] > 1 && view->strides[index] != expected) return 0;
    expected *= view->shape[index];
  }
  return 1;
}

// All of an array's description but the last dimension, which follows from the number of bytes. 0: it does not fit.
static uint64_t array_kind(const view *view) {
  int code = format_code(view->format);
  if (code < 0 || view->ndim > 15) return 0;
  uint64_t kind = ARRAY | (uint64_t)code << CODE_SHIFT | (uint64_t)view->ndim << DIMENSIONS_SHIFT;
  if (view->ndim < 2) return kind;
  if (!is_c_contiguous(view)) kind |= (uint64_t)1 << FORTRAN_SHIFT;
  const int bits = SHAPE_BITS / (view->ndim - 1);
  for (int index = 0; index < view->ndim; index++) {
    uint64_t length = (uint64_t)view->shape[index];
    if (length == 0) return 0;
    if (index == view->ndim - 1) break;
    if (length >> bits) return 0;
    kind |= length << (SHAPE_SHIFT + index * bits);
  }
  return kind;
}

// A value on its way out, and what keeps its bytes.
typedef struct outgoing {
  apus_py_value value;
  view view;
  PyObject *owner;
} outgoing;

static void forget(outgoing *out) {
  if (out->view.obj) PyBuffer_Release(&out->view);
  Py_XDECREF(out->owner);
}

static int has_bytes(outgoing *out, uint64_t kind, PyObject *bytes) {
  char *start;
  Py_ssize_t length;
  if (!bytes || PyBytes_AsStringAndSize(bytes, &start, &length) < 0) return 0;
  out->value = (apus_py_value){start, (uint64_t)length, kind};
  return 1;
}

static int encode_by_hook(outgoing *out, PyObject *object) {
  PyObject *buffer;
  unsigned long long kind;
  PyObject *pair = PyObject_CallFunctionObjArgs(encode_hook, object, NULL);
  out->owner = pair;
  if (!pair || !PyArg_ParseTuple(pair, "KO", &kind, &buffer)) return 0;
  if (PyObject_GetBuffer(buffer, &out->view, ANY_CONTIGUOUS) < 0) return 0;
  out->value = (apus_py_value){out->view.buf, (uint64_t)out->view.len, kind};
  return 1;
}

static int encode_array(outgoing *out, PyObject *array) {
  if (PyObject_GetBuffer(array, &out->view, ANY_CONTIGUOUS | FORMAT) == 0) {
    uint64_t kind = array_kind(&out->view);
    if (kind) {
      out->value = (apus_py_value){out->view.buf, (uint64_t)out->view.len, kind};
      return 1;
    }
    PyBuffer_Release(&out->view);
    out->view.obj = NULL;
  }
  PyErr_Clear();
  return encode_by_hook(out, array);
}

static int is_numpy_there(void) {
  if (ndarray) return 1;
  if (!PyDict_GetItemString(PyImport_GetModuleDict(), "numpy")) return 0;
  PyObject *done = PyObject_CallFunctionObjArgs(numpy_hook, NULL);
  if (!done) PyErr_Clear();
  Py_XDECREF(done);
  return ndarray != NULL;
}

static int encode(outgoing *out, PyObject *object) {
  out->view.obj = NULL;
  out->owner = NULL;
  PyObject *type = (PyObject *)Py_TYPE(object);
  if (type == (PyObject *)&PyBytes_Type) return has_bytes(out, BYTES, object);
  if (type == (PyObject *)&PyUnicode_Type) {
    if (has_bytes(out, TEXT, out->owner = PyUnicode_AsUTF8String(object))) return 1;
    PyErr_Clear();  // a lone surrogate
  } else if (is_numpy_there() && type == ndarray) {
    return encode_array(out, object);
  }
  if (has_bytes(out, PICKLE, out->owner = PyObject_CallFunctionObjArgs(dumps, object, protocol, NULL))) return 1;
  PyErr_Clear();
  return encode_by_hook(out, object);  // it may know another way, or tells the problem
}

typedef struct ranks {
  PyObject_HEAD
  void *handle;
} ranks;

static int set_handle(PyObject *self, PyObject *arguments, PyObject *named) {
  unsigned long long handle;
  if (!PyArg_ParseTuple(arguments, "K", &handle)) return -1;
  ((ranks *)self)->handle = (void *)(uintptr_t)handle;
  return 0;
}

// MARK: Arguments

typedef struct parameter {
  const char *name;
  PyObject *interned;
} parameter;

static int parse(
    const char *function, parameter *parameters, int count, int required, PyObject *const *arguments, Py_ssize_t given,
    PyObject *names, PyObject **found) {
  if (given > count) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments (%zd given)", function, count, given);
    return 0;
  }
  for (int index = 0; index < count; index++) found[index] = index < given ? arguments[index] : NULL;
  Py_ssize_t named = names ? PyTuple_Size(names) : 0;
  for (Py_ssize_t place = 0; place < named; place++) {
    PyObject *name = PyTuple_GetItem(names, place);
    int index = 0;
    while (index < count && parameters[index].interned != name) index++;
    if (index == count) {
      index = 0;
      while (index < count && PyUnicode_CompareWithASCIIString(name, parameters[index].name) != 0) index++;
    }
    if (index == count || found[index]) {
      PyErr_Format(
          PyExc_TypeError, index == count ? "%s() got an unexpected keyword argument '%U'"
                                          : "%s() got multiple values for argument '%U'", function, name);
      return 0;
    }
    found[index] = arguments[given + place];
  }
  for (int index = 0; index < required; index++) {
    if (found[index]) continue;
    PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", function, parameters[index].name);
    return 0;
  }
  return 1;
}

static int number(PyObject *object, int64_t otherwise, int64_t *result) {
  if (!object) {
    *result = otherwise;
    return 1;
  }
  PyObject *index = PyNumber_Index(object);
  if (!index) return 0;
  *result = PyLong_AsLongLong(index);
  Py_DECREF(index);
  return *result != -1 || !PyErr_Occurred();
}

static int is_free(void) {
  if (is_taking) PyErr_SetString(PyExc_RuntimeError, "a finaliser may not use the communicators of its rank");
  return !is_taking;
}

// MARK: Sending

static parameter of_send[] = {{"value", NULL}, {"to", NULL}, {"tag", NULL}};

// send(value, to, tag=0)
static PyObject *send(PyObject *self, PyObject *const *arguments, Py_ssize_t given, PyObject *names) {
  PyObject *found[3];
  int64_t to, tag;
  if (!parse("send", of_send, 3, 2, arguments, given, names, found) || !is_free()) return NULL;
  if (!number(found[1], 0, &to) || !number(found[2], 0, &tag)) return NULL;
  outgoing out;
  if (!encode(&out, found[0])) {
    forget(&out);
    return NULL;
  }
  apus_py_problem problem;
  void *handle = ((ranks *)self)->handle;
  int32_t status = engine_send(handle, &out.value, to, tag, 0, &problem);
  if (status == APUS_PY_NOT_YET) {
    Py_BEGIN_ALLOW_THREADS
    status = engine_send(handle, &out.value, to, tag, 1, &problem);
    Py_END_ALLOW_THREADS
  }
  forget(&out);
  if (status != 0) return raise(&problem);
  Py_RETURN_NONE;
}

// MARK: Receiving

// A message on its way in.
typedef struct incoming {
  apus_py_message message;
  // What it becomes, or becomes part of; null: there is none, and an error is set or `refusal` says why.
  PyObject *object;
  view view;
  // Whether `view` is of the caller's own memory.
  int is_into;
  int32_t refusal;
  // While the lock is free.
  PyThreadState *thread;
  int waits;
} incoming;

static Py_ssize_t element_size(int code) {
  static const Py_ssize_t sizes[] = {
      sizeof(_Bool), 1, 1, sizeof(short), sizeof(short), sizeof(int), sizeof(int), sizeof(long), sizeof(long),
      sizeof(long long), sizeof(long long), 2, sizeof(float), sizeof(double), sizeof(long double), 2 * sizeof(float),
      2 * sizeof(double), 2 * sizeof(long double),
  };
  return sizes[code];
}

// The arguments of `numpy.empty` for a message; those of the last one are kept.
static PyObject *arguments_of_empty(const apus_py_message *message) {
  static uint64_t kind, count;
  static PyObject *kept;
  if (kept && kind == message->kind && count == message->count) return kept;
  const int code = (int)(message->kind >> CODE_SHIFT & 31), dimensions = (int)(message->kind >> DIMENSIONS_SHIFT & 15);
  if (code >= FORMATS) return NULL;
  uint64_t rest = message->count / (uint64_t)element_size(code);
  const int bits = dimensions > 1 ? SHAPE_BITS / (dimensions - 1) : 0;
  PyObject *shape = PyTuple_New(dimensions);
  for (int index = 0; shape && index < dimensions; index++) {
    uint64_t length = rest;
    if (index < dimensions - 1) {
      length = message->kind >> (SHAPE_SHIFT + index * bits) & (((uint64_t)1 << bits) - 1);
      if (length == 0) break;
      rest /= length;
    }
    PyObject *item = PyLong_FromUnsignedLongLong(length);
    if (!item || PyTuple_SetItem(shape, index, item) < 0) Py_CLEAR(shape);
  }
  PyObject *dtype = PyTuple_GetItem(dtypes, code);
  PyObject *order = message->kind >> FORTRAN_SHIFT & 1 ? fortran : NULL;
  PyObject *made = !shape || !dtype ? NULL : order ? PyTuple_Pack(3, shape, dtype, order) : PyTuple_Pack(2, shape, dtype);
  Py_XDECREF(shape);
  if (!made) return NULL;
  Py_XDECREF(kept);
  kind = message->kind;
  count = message->count;
  return kept = made;
}

static void *room_in_array(incoming *in) {
  if (!ndarray) {
    PyObject *done = PyObject_CallFunctionObjArgs(numpy_hook, NULL);
    if (!done) return NULL;
    Py_DECREF(done);
  }
  PyObject *arguments = arguments_of_empty(&in->message);
  if (!arguments) return NULL;
  in->object = PyObject_Call(empty, arguments, NULL);
  if (!in->object || PyObject_GetBuffer(in->object, &in->view, ANY_CONTIGUOUS | WRITABLE) < 0) return NULL;
  if ((uint64_t)in->view.len != in->message.count) {
    PyErr_SetString(PyExc_ValueError, "an array came whose length can't be");
    return NULL;
  }
  return in->view.buf;
}

// The caller's memory takes arrays of its own type, and bytes if its elements are bytes.
static void *room_in_own(incoming *in) {
  const uint64_t kind = in->message.kind;
  const int code = format_code(in->view.format);
  int fits = (kind & 255) == BYTES && in->view.itemsize == 1;
  if ((kind & 255) == ARRAY && (int)(kind >> CODE_SHIFT & 31) == code) {
    const int is_fortran = (int)(kind >> FORTRAN_SHIFT & 1);
    fits = in->view.ndim < 2 || (kind >> DIMENSIONS_SHIFT & 15) < 2 || is_fortran == !is_c_contiguous(&in->view);
  }
  in->refusal = !fits ? APUS_PY_TYPE_MISMATCH : in->message.count > (uint64_t)in->view.len ? APUS_PY_TOO_LONG : 0;
  return in->refusal ? NULL : in->view.buf;
}

static void *make_room(incoming *in) {
  if (in->is_into) return room_in_own(in);
  switch (in->message.kind & 255) {
    case PICKLE:
    case BYTES:
    case TEXT:
      in->object = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)in->message.count);
      return in->object ? PyBytes_AsString(in->object) : NULL;
    case ARRAY: return room_in_array(in);
    default:
      in->object = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)in->message.count);
      return in->object ? PyByteArray_AsString(in->object) : NULL;
  }
}

static void *room(void *context, const apus_py_message *message) {
  incoming *in = context;
  in->message = *message;
  if (in->thread) {
    PyEval_RestoreThread(in->thread);
    in->thread = NULL;
  }
  is_taking = 1;
  void *place = make_room(in);
  is_taking = 0;
  if (in->waits || message->count > LONG_COPY) in->thread = PyEval_SaveThread();
  return place;
}

// The object that came, of which nothing is kept in `in`.
static PyObject *finished(incoming *in) {
  PyObject *object = in->object;
  in->object = NULL;
  switch (in->message.kind & 255) {
    case BYTES:
    case ARRAY: return object;
    case PICKLE: {
      PyObject *value = PyObject_CallFunctionObjArgs(loads, object, NULL);
      Py_DECREF(object);
      return value;
    }
    case TEXT: {
      PyObject *value = PyUnicode_DecodeUTF8(PyBytes_AsString(object), PyBytes_Size(object), NULL);
      Py_DECREF(object);
      return value;
    }
    default: {
      PyObject *value = PyObject_CallFunction(decode_hook, "KO", (unsigned long long)in->message.kind, object);
      Py_DECREF(object);
      return value;
    }
  }
}

static PyObject *not_received(incoming *in, apus_py_problem *problem) {
  if (problem->code == APUS_PY_REFUSED) {
    if (!in->refusal) return NULL;  // Python's own error
    problem->code = in->refusal;
    problem->rank = (int32_t)in->message.source;
    if (in->refusal == APUS_PY_TOO_LONG) {
      PyOS_snprintf(
          problem->text, sizeof problem->text, "a message of %llu bytes came from rank %lld, and there is room for %lld; it is gone",
          (unsigned long long)in->message.count, (long long)in->message.source, (long long)in->view.len);
    } else {
      PyOS_snprintf(
          problem->text, sizeof problem->text,
          "a message of another type than that of the elements of `into` came from rank %lld under tag %lld; it is gone",
          (long long)in->message.source, (long long)in->message.tag);
    }
  }
  return raise(problem);
}

static parameter of_receive[] = {{"source", NULL}, {"tag", NULL}, {"into", NULL}, {"status", NULL}};

// receive(source=-1, tag=-1, into=None, status=False)
static PyObject *receive(PyObject *self, PyObject *const *arguments, Py_ssize_t given, PyObject *names) {
  PyObject *found[4];
  int64_t source, tag;
  if (!parse("receive", of_receive, 4, 0, arguments, given, names, found) || !is_free()) return NULL;
  if (!number(found[0], -1, &source) || !number(found[1], -1, &tag)) return NULL;
  int wants_status = found[3] ? PyObject_IsTrue(found[3]) : 0;
  if (wants_status < 0) return NULL;
  incoming in = {.object = NULL};
  PyObject *into = found[2] && found[2] != Py_None ? found[2] : NULL;
  if (into) {
    if (PyObject_GetBuffer(into, &in.view, ANY_CONTIGUOUS | WRITABLE | FORMAT) < 0) return NULL;
    in.is_into = 1;
  }
  apus_py_problem problem;
  void *handle = ((ranks *)self)->handle;
  int32_t state = engine_receive(handle, source, tag, 0, room, &in, &problem);
  if (state == APUS_PY_NOT_YET) {
    in.waits = 1;
    in.thread = PyEval_SaveThread();
    state = engine_receive(handle, source, tag, 1, room, &in, &problem);
  }
  if (in.thread) PyEval_RestoreThread(in.thread);
  PyObject *value = NULL;
  if (state != 0) {
    Py_CLEAR(in.object);
    not_received(&in, &problem);
  } else if (into) {
    Py_INCREF(into);
    value = into;
  } else {
    value = finished(&in);
  }
  if (in.view.obj) PyBuffer_Release(&in.view);
  if (!value || !wants_status) return value;
  PyObject *about = PyObject_CallFunction(
      status_hook, "LLK", (long long)in.message.source, (long long)in.message.tag, (unsigned long long)in.message.count);
  PyObject *pair = about ? PyTuple_Pack(2, value, about) : NULL;
  Py_DECREF(value);
  Py_XDECREF(about);
  return pair;
}

// MARK: The module

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods_of_ranks[] = {
    {"send", FAST(send), METH_FASTCALL | METH_KEYWORDS, "send($self, value, to, tag=0)\n--\n\n"
     "Sends any object, and returns when it may change again."},
    {"receive", FAST(receive), METH_FASTCALL | METH_KEYWORDS, "receive($self, source=-1, tag=-1, into=None, status=False)\n--\n\n"
     "Waits for a message, and returns what was sent; with `status` a pair of that and a Status."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots_of_ranks[] = {
    {Py_tp_init, set_handle},
    {Py_tp_methods, methods_of_ranks},
    {0, NULL},
};

static PyType_Spec spec_of_ranks = {
    "apus._fast_messages.Ranks", sizeof(ranks), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots_of_ranks,
};

static PyMethodDef methods[] = {
    {"bind", bind, METH_VARARGS, NULL},
    {"know_numpy", know_numpy, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_fast_messages", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

static int intern(parameter *parameters, size_t count) {
  for (size_t index = 0; index < count; index++) {
    parameters[index].interned = PyUnicode_InternFromString(parameters[index].name);
    if (!parameters[index].interned) return 0;
  }
  return 1;
}

PyMODINIT_FUNC PyInit__fast_messages(void) {
  PyObject *module = PyModule_Create(&definition);
  PyObject *type = module ? PyType_FromSpec(&spec_of_ranks) : NULL;
  fortran = PyUnicode_FromString("F");
  if (!type || !fortran || !intern(of_send, 3) || !intern(of_receive, 4) ||
      PyModule_AddObject(module, "Ranks", type) < 0) {
    Py_XDECREF(module);
    return NULL;
  }
  return module;
}
