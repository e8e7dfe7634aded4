// Plain values: those of a few immutable types of Python's own. Measured on groups of a thousand: to write texts and tuples takes 0.4
// to 0.65 of the time of `pickle` and `marshal`, to read tuples 0.75, ints as long. (`marshal` writes other types as well, without
// saying so: one would have to look first.) What is one object twice comes back as two.
#include "_fast.h"

enum { DEPTH = 4, LONGEST_TEXT = 1024, MOST = 16 << 20 };
// How a list of them begins: as no pickle, and no flags of `_protocol.py`'s do. Then how many there are: 4 bytes.
enum { LIST = '[' };
// How a value begins; behind it are its bytes, or for texts, bytes and tuples their length first: 4 bytes.
enum { NONE = 'n', FALSE = '0', TRUE = '1', SMALL = 'i', LONG = 'l', FLOAT = 'd', TEXT = 's', BYTES = 'b', TUPLE = 't', NAMES = 'k' };
enum { HEAD = 1 + sizeof(uint32_t), LARGEST_FIXED = 1 + sizeof(int64_t) };

int has_room_for(apus_bytes *bytes, size_t more) {
  if (more <= bytes->capacity - bytes->size) return 1;
  size_t larger = 2 * bytes->capacity + more;
  void *moved = realloc(bytes->start, larger);
  if (!moved) return 0;
  bytes->start = moved;
  bytes->capacity = larger;
  return 1;
}

static int put(apus_bytes *bytes, char kind, const void *value, size_t size) {
  char *place = bytes->start + bytes->size;
  *place = kind;
  memcpy(place + 1, value, size);
  bytes->size += 1 + size;
  return 1;
}

static int put_length(apus_bytes *bytes, char kind, Py_ssize_t length) {
  uint32_t number = (uint32_t)length;
  return put(bytes, kind, &number, sizeof number);
}

static int put_text(apus_bytes *bytes, char kind, const char *text, Py_ssize_t length) {
  if (length > LONGEST_TEXT || !has_room_for(bytes, HEAD + (size_t)length)) return 0;
  put_length(bytes, kind, length);
  memcpy(bytes->start + bytes->size, text, (size_t)length);
  bytes->size += (size_t)length;
  return 1;
}

static int put_integer(apus_bytes *bytes, PyObject *value) {
  int overflow;
  long long wide = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow) return 0;
  int32_t narrow = (int32_t)wide;
  return narrow == wide ? put(bytes, SMALL, &narrow, sizeof narrow) : put(bytes, LONG, &wide, sizeof wide);
}

// Whether it is plain, and written. What is shared is written again and again, so there is a bound.
static int write_value(apus_bytes *bytes, PyObject *value, int depth) {
  PyTypeObject *type = Py_TYPE(value);
  if (bytes->size > MOST || !has_room_for(bytes, LARGEST_FIXED)) return 0;
  if (type == &PyLong_Type) return put_integer(bytes, value);
  if (type == &PyUnicode_Type) {
    Py_ssize_t length;
    const char *text = PyUnicode_GetLength(value) <= LONGEST_TEXT ? PyUnicode_AsUTF8AndSize(value, &length) : NULL;
    return text && put_text(bytes, TEXT, text, length);
  }
  if (type == &PyTuple_Type) {
    Py_ssize_t count = PyTuple_Size(value);
    if (depth == 0 || count > MOST) return 0;
    put_length(bytes, TUPLE, count);
    for (Py_ssize_t i = 0; i < count; i++)
      if (!write_value(bytes, PyTuple_GetItem(value, i), depth - 1)) return 0;
    return 1;
  }
  if (type == &PyFloat_Type) {
    double number = PyFloat_AsDouble(value);
    return put(bytes, FLOAT, &number, sizeof number);
  }
  if (value == Py_None) return put(bytes, NONE, NULL, 0);
  if (type == &PyBool_Type) return put(bytes, value == Py_True ? TRUE : FALSE, NULL, 0);
  if (type == &PyBytes_Type) {
    char *found = NULL;
    Py_ssize_t length = 0;
    return PyBytes_AsStringAndSize(value, &found, &length) == 0 && put_text(bytes, BYTES, found, length);
  }
  return 0;
}

// What has been written since `before`, or nothing.
static int written(apus_bytes *bytes, size_t before, int is_plain) {
  if (is_plain) return 1;
  bytes->size = before;
  PyErr_Clear();
  return 0;
}

int write_items(apus_bytes *bytes, PyObject *items, Py_ssize_t start, Py_ssize_t end) {
  size_t before = bytes->size;
  PyObject *(*item)(PyObject *, Py_ssize_t) = Py_TYPE(items) == &PyList_Type ? PyList_GetItem : PyTuple_GetItem;
  Py_ssize_t count = end - start;
  int is_plain = count < MOST && has_room_for(bytes, HEAD) && put_length(bytes, LIST, count);
  while (is_plain && start < end) {
    PyObject *value = item(items, start++);
    is_plain = value && write_value(bytes, value, DEPTH);
  }
  return written(bytes, before, is_plain);
}

int write_values(apus_bytes *bytes, PyObject *list) { return write_items(bytes, list, 0, PyList_Size(list)); }

// A list of one pair: the arguments of a call, and those by name.
int write_call(apus_bytes *bytes, PyObject *arguments, PyObject *names) {
  if (Py_TYPE(arguments) != &PyTuple_Type || Py_TYPE(names) != &PyDict_Type) return 0;
  size_t before = bytes->size;
  PyObject *name, *value;
  Py_ssize_t place = 0;
  int is_plain = has_room_for(bytes, 3 * HEAD) && put_length(bytes, LIST, 1) && put_length(bytes, TUPLE, 2) &&
                 write_value(bytes, arguments, DEPTH) && has_room_for(bytes, HEAD) &&
                 put_length(bytes, NAMES, PyDict_Size(names));
  while (is_plain && PyDict_Next(names, &place, &name, &value))
    is_plain = write_value(bytes, name, 0) && write_value(bytes, value, DEPTH);
  return written(bytes, before, is_plain);
}

// What is still to be read.
typedef struct rest {
  const char *place, *end;
} rest;

static int get(rest *rest, void *value, size_t size) {
  if ((size_t)(rest->end - rest->place) < size) return 0;
  memcpy(value, rest->place, size);
  rest->place += size;
  return 1;
}

// Each is at least one byte of what is left.
static int get_length(rest *rest, Py_ssize_t *length) {
  uint32_t number;
  if (!get(rest, &number, sizeof number) || number > (size_t)(rest->end - rest->place)) return 0;
  *length = number;
  return 1;
}

static PyObject *read_value(rest *rest);

static PyObject *read_tuple(rest *rest, Py_ssize_t count) {
  PyObject *tuple = PyTuple_New(count);
  for (Py_ssize_t i = 0; tuple && i < count; i++) {
    PyObject *value = read_value(rest);
    if (!value || PyTuple_SetItem(tuple, i, value) < 0) Py_CLEAR(tuple);
  }
  // It refers to nothing that could refer to it, so the collector need not look at it. (The pair of a call refers to its names, which
  // nobody else has.)
  if (tuple && count) PyObject_GC_UnTrack(tuple);
  return tuple;
}

static PyObject *read_names(rest *rest, Py_ssize_t count) {
  PyObject *names = PyDict_New();
  for (Py_ssize_t i = 0; names && i < count; i++) {
    PyObject *name = read_value(rest), *value = name ? read_value(rest) : NULL;
    if (!value || PyDict_SetItem(names, name, value) < 0) Py_CLEAR(names);
    Py_XDECREF(name);
    Py_XDECREF(value);
  }
  return names;
}

static PyObject *read_value(rest *rest) {
  int32_t narrow;
  long long wide;
  double number;
  Py_ssize_t length;
  char kind;
  if (!get(rest, &kind, 1)) return NULL;
  switch (kind) {
    case SMALL: return get(rest, &narrow, sizeof narrow) ? PyLong_FromLong(narrow) : NULL;
    case LONG: return get(rest, &wide, sizeof wide) ? PyLong_FromLongLong(wide) : NULL;
    case FLOAT: return get(rest, &number, sizeof number) ? PyFloat_FromDouble(number) : NULL;
    case NONE: Py_INCREF(Py_None); return Py_None;
    case FALSE: return PyBool_FromLong(0);
    case TRUE: return PyBool_FromLong(1);
  }
  if (!get_length(rest, &length)) return NULL;
  const char *place = rest->place;
  switch (kind) {
    case TUPLE: return read_tuple(rest, length);
    case NAMES: return read_names(rest, length);
    case TEXT: rest->place += length; return PyUnicode_FromStringAndSize(place, length);
    case BYTES: rest->place += length; return PyBytes_FromStringAndSize(place, length);
  }
  return NULL;
}

static PyObject *gc_is_enabled, *gc_disable, *gc_enable;

static int call_gc(PyObject *function) {
  PyObject *result = PyObject_CallFunctionObjArgs(function, NULL);
  int is_true = result == Py_True;
  Py_XDECREF(result);
  return is_true;
}

PyObject *read_values(const void *bytes, uint64_t length) {
  rest rest = {bytes, (const char *)bytes + length};
  char kind;
  Py_ssize_t count;
  if (!get(&rest, &kind, 1) || kind != LIST || !get_length(&rest, &count)) return NULL;
  // Many objects, none of them garbage: the collector would look at them again and again.
  int pauses_gc = length > 4096 && call_gc(gc_is_enabled);
  if (pauses_gc) call_gc(gc_disable);
  PyObject *list = PyList_New(count);
  for (Py_ssize_t i = 0; list && i < count; i++) {
    PyObject *value = read_value(&rest);
    if (!value || PyList_SetItem(list, i, value) < 0) Py_CLEAR(list);
  }
  if (!list) PyErr_Clear();
  // It has plain values alone, and no user ever has it: the collector, which comes next, would look at each of them in vain.
  if (list) PyObject_GC_UnTrack(list);
  if (pauses_gc) call_gc(gc_enable);
  return list;
}

static PyObject *taken(apus_bytes *bytes, int is_plain) {
  PyObject *made = is_plain ? PyBytes_FromStringAndSize(bytes->start, (Py_ssize_t)bytes->size) : Py_None;
  if (!is_plain) Py_INCREF(Py_None);
  free(bytes->start);
  return made;
}

// plain(items, start, end, flags): the bytes of these items of a list or a tuple, or None if not all are plain. They begin with the
// flags, if they are not 0.
static PyObject *plain(PyObject *self, PyObject *arguments) {
  PyObject *items;
  Py_ssize_t start, end;
  unsigned char flags;
  apus_bytes bytes = {0};
  if (!PyArg_ParseTuple(arguments, "Onnb", &items, &start, &end, &flags)) return NULL;
  if (flags && has_room_for(&bytes, 1)) bytes.start[bytes.size++] = (char)flags;
  int is_known = Py_TYPE(items) == &PyList_Type || Py_TYPE(items) == &PyTuple_Type;
  return taken(&bytes, is_known && write_items(&bytes, items, start, end));
}

// plain_call(arguments, names): the bytes of a list of this one pair, or None.
static PyObject *plain_call(PyObject *self, PyObject *arguments) {
  PyObject *values, *names;
  apus_bytes bytes = {0};
  if (!PyArg_ParseTuple(arguments, "OO", &values, &names)) return NULL;
  return taken(&bytes, write_call(&bytes, values, names));
}

// load_plain(bytes): the list again.
static PyObject *load_plain(PyObject *self, PyObject *arguments) {
  const char *bytes;
  Py_ssize_t length;
  if (!PyArg_ParseTuple(arguments, "y#", &bytes, &length)) return NULL;
  PyObject *list = read_values(bytes, (uint64_t)length);
  if (!list) PyErr_SetString(PyExc_ValueError, "these are no plain values");
  return list;
}

PyMethodDef values_methods[] = {
    {"plain", plain, METH_VARARGS, NULL},
    {"plain_call", plain_call, METH_VARARGS, NULL},
    {"load_plain", load_plain, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int prepare_values(void) {
  PyObject *gc = PyImport_ImportModule("gc");
  if (!gc) return -1;
  gc_is_enabled = PyObject_GetAttrString(gc, "isenabled");
  gc_disable = PyObject_GetAttrString(gc, "disable");
  gc_enable = PyObject_GetAttrString(gc, "enable");
  Py_DECREF(gc);
  return gc_is_enabled && gc_disable && gc_enable ? 0 : -1;
}
