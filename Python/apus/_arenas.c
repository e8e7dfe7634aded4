// Memory in pages of 2 MiB for the objects of an interpreter that others are forked from: a fork copies the page tables, and of
// small pages there are 512 times as many.
#include "_fast.h"

#include <sys/mman.h>

// CPython's own; not part of the limited API, but the same since 3.4.
typedef struct arena_allocator {
  void *context;
  void *(*allocate)(void *context, size_t size);
  void (*release)(void *context, void *arena, size_t size);
} arena_allocator;
__attribute__((weak)) extern void PyObject_GetArenaAllocator(arena_allocator *allocator);
__attribute__((weak)) extern void PyObject_SetArenaAllocator(arena_allocator *allocator);

enum { HUGE_PAGE = 2 << 20, CHUNK = 64 << 20 };

static arena_allocator usual;
static char *next, *end;

// Its release is the usual one, munmap, for which it does not matter what the arena was mapped with.
static void *allocate(void *context, size_t size) {
  if (size > CHUNK) return usual.allocate(context, size);
  if ((size_t)(end - next) < size) {
    char *mapped =
        mmap(NULL, CHUNK + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return usual.allocate(context, size);
    next = (char *)(((uintptr_t)mapped + HUGE_PAGE - 1) & -(uintptr_t)HUGE_PAGE);
    end = next + CHUNK;
    madvise(next, CHUNK, MADV_HUGEPAGE);
  }
  void *arena = next;
  next += size;
  return arena;
}

// huge_arenas(is_on): whether arenas are to be of such pages from now on. Memory that has been there stays where it is.
static PyObject *huge_arenas(PyObject *self, PyObject *is_on) {
  if (PyObject_GetArenaAllocator && PyObject_SetArenaAllocator) {
    if (!usual.allocate) PyObject_GetArenaAllocator(&usual);
    arena_allocator ours = {usual.context, allocate, usual.release};
    PyObject_SetArenaAllocator(PyObject_IsTrue(is_on) ? &ours : &usual);
  }
  Py_RETURN_NONE;
}

PyMethodDef arenas_methods[] = {
    {"huge_arenas", huge_arenas, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
