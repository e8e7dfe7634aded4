"""The engine, a library written in Swift, behind a C interface: `apus_python.h` says what each function does."""

import ctypes
import itertools
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_uint64, c_void_p

from ._library import PATH, fast
from ._plain import plain_call

FOREVER = (1 << 64) - 1


class Config(Structure):
    _fields_ = [
        ("workers", c_int64),
        ("executable", c_char_p),
        ("arguments", POINTER(c_char_p)),
        ("environment", POINTER(c_char_p)),
        ("workers_template", c_void_p),
        ("start_limit", c_uint64),
        ("name", c_char_p),
        ("start_function", c_void_p),
        ("start_argument", c_char_p),
        ("start_length", c_uint64),
        ("tasks_per_worker", c_int64),
        ("memory_limit", c_uint64),
        ("retries_alone", c_int32),
        ("restarts", c_int64),
    ]


class Options(Structure):
    _fields_ = [("time_limit", c_uint64), ("grace", c_uint64), ("retries", c_int64), ("chunk", c_int64)]


class Result(Structure):
    _fields_ = [
        ("kind", c_int32),
        ("exit_code", c_int32),
        ("signal", c_int32),
        ("process", c_int32),
        ("index", c_int64),
        ("part", c_uint64),
        ("bytes", c_void_p),
        ("length", c_uint64),
    ]

    def data(self):
        return _bytes_at(self.bytes, self.length)


class Piece(Structure):
    _fields_ = [("bytes", c_void_p), ("length", c_uint64)]


class Task(Structure):
    _fields_ = [("worker", c_int64), ("tries", c_int64), ("element", c_uint64)]


class Statistics(Structure):
    _fields_ = [
        (name, c_int64)
        for name in "submitted queued running succeeded failed cancelled retried restarts recycled".split()
    ]


def _bytes_at(address, length):
    # `string_at` counts in C's int.
    return bytes((ctypes.c_char * length).from_address(address)) if length else b""


VALUE, FAILED, DIED, CANCELLED, TIME_LIMIT, MEMORY_LIMIT, UNSERVED = range(1, 8)

# Results of more bytes are not copied.
LARGE = 64 << 10

DEFINE = ctypes.CFUNCTYPE(c_int32, c_uint64, c_void_p, c_uint64)
FORGET = ctypes.CFUNCTYPE(None, c_uint64)


class Worker(Structure):
    _fields_ = [("define", DEFINE), ("run", DEFINE), ("forget", FORGET)]


def _declare(library, name, result, *arguments):
    function = getattr(library, "apus_py_" + name)
    function.restype, function.argtypes = result, arguments
    return function


# These wait, or start processes: the interpreter lock is free meanwhile.
_long = ctypes.CDLL(PATH)
pool_new = _declare(_long, "pool_new", c_void_p, POINTER(Config), c_char_p, c_uint64)
template_new = _declare(
    _long, "template_new", c_void_p, c_char_p, POINTER(c_char_p), c_char_p, c_int32, c_int32, c_char_p, c_uint64)
pool_shut_down = _declare(_long, "pool_shut_down", None, c_void_p, c_uint64)
pool_next_ending = _declare(_long, "pool_next_ending", c_uint64, c_void_p, c_uint64)
pool_share = _declare(_long, "pool_share", c_void_p, c_void_p, c_char_p, c_uint64)
job_give = _declare(_long, "job_give", None, c_void_p, c_char_p, c_void_p, c_int64, c_int64, c_int32)
_job_give_pieces = _declare(_long, "job_give_pieces", None, c_void_p, POINTER(Piece), c_int64, c_int64, c_int32, c_uint64)
job_cancel = _declare(_long, "job_cancel", None, c_void_p)
release = _declare(_long, "release", None, c_void_p)
_call = _declare(
    _long, "call", c_void_p, c_void_p, c_void_p, c_char_p, c_uint64, POINTER(Options), c_void_p, POINTER(Result)
)
_job_wait = _declare(_long, "job_wait", c_int32, c_void_p, c_uint64)
_job_next = _declare(_long, "job_next", c_int32, c_void_p, POINTER(Result))
_worker_serve = _declare(_long, "worker_serve", c_int32, POINTER(Worker), c_char_p, c_uint64)
_worker_read = _declare(_long, "worker_read", c_int32, c_void_p, c_uint64)
_worker_emit_pieces = _declare(_long, "worker_emit_pieces", c_int32, POINTER(Piece), c_int64)
_worker_emit = _declare(_long, "worker_emit", c_int32, c_char_p, c_uint64)
_worker_fail = _declare(_long, "worker_fail", None, c_char_p, c_uint64)

job_new = _declare(_long, "job_new", c_void_p, c_void_p, c_void_p, POINTER(Options))
job_wanted = _declare(_long, "job_wanted", c_int64, c_void_p, POINTER(c_int64))
job_pause = _declare(_long, "job_pause", None, c_void_p)
job_is_over = _declare(_long, "job_is_over", c_int32, c_void_p)
job_stage = _declare(_long, "job_stage", c_int32, c_void_p)
job_tell_ending = _declare(_long, "job_tell_ending", None, c_void_p, c_uint64)
pool_has_ended = _declare(_long, "pool_has_ended", c_int32, c_void_p)
pool_processes = _declare(_long, "pool_processes", c_int64, c_void_p, POINTER(c_int32), c_int64)
pool_statistics = _declare(_long, "pool_statistics", None, c_void_p, POINTER(Statistics))
template_has_failed = _declare(_long, "template_has_failed", c_int32, c_void_p)

# These wait for nobody, so the lock is kept, where there is one to keep.
_short = getattr(ctypes, "PyDLL", ctypes.CDLL)(PATH)
function_new = _declare(_short, "function_new", c_void_p, c_char_p, c_uint64)
_loans_ended = _declare(_short, "loans_ended", c_int64, POINTER(c_uint64), c_int64)
_job_keep = _declare(_short, "job_keep", c_void_p, c_void_p)
buffer_new = _declare(_short, "buffer_new", c_void_p)
worker_adopted = _declare(_short, "worker_adopted", c_int32, c_int32)
_worker_part = _declare(_short, "worker_part", c_void_p)
_worker_task = _declare(_short, "worker_task", c_int32, POINTER(Task))


def worker_task():
    """What the worker is at. None outside of a worker."""
    task = Task()
    return None if _worker_task(byref(task)) else task


class Pieces:
    """Bytes in several places: `bytes` objects, and views of memory that can be written to. It keeps them there."""

    def __init__(self, parts):
        self._kept = [
            ctypes.c_char_p(part) if type(part) is bytes else (ctypes.c_char * len(part)).from_buffer(part) for part in parts]
        self.count = len(parts)
        self.array = (Piece * len(parts))(*map(_piece, self._kept, parts))


def _piece(kept, part):
    # `ctypes.cast` would make a cycle that keeps the part until the collector comes.
    return Piece(c_void_p.from_buffer(kept) if type(part) is bytes else ctypes.addressof(kept), len(part))


def give_pieces(job, pieces, index, is_last):
    """Gives a job its next element: a copy."""
    _job_give_pieces(job, pieces.array, pieces.count, index, is_last, 0)


# What the engine reads where it is, by number.
_loans = {}
_numbers = itertools.count(1)


def lend_pieces(job, pieces, index, is_last):
    """The same without a copy: nobody is to change them as long as the job lasts."""
    end_loans()
    number = next(_numbers)
    _loans[number] = pieces
    _job_give_pieces(job, pieces.array, pieces.count, index, is_last, number)


def end_loans():
    """Lets go of what was lent and is not needed any more."""
    while _loans:
        numbers = (c_uint64 * 64)()
        count = _loans_ended(numbers, 64)
        for number in numbers[:count]:
            del _loans[number]
        if count < 64:
            break


def emit_pieces(pieces):
    """From within a worker's `run`: what the element has come to."""
    if _worker_emit_pieces(pieces.array, pieces.count):
        raise RuntimeError("the result can't be handed back")


def memory(owner, address, length):
    """A view of the engine's memory, which is given back when nobody looks at it any more."""
    found = (ctypes.c_char * length).from_address(address)
    found.owner = Handle(owner)
    return memoryview(found).cast("B")


def call(pool, function, arguments, names, buffer, time_limit, grace):
    """A call of one task, if its arguments are plain; None if not, or if that is not known.

    Its result if that came at once: a list, if it is plain and the C module could read it, or else bytes. Else the job.
    """
    data = plain_call(arguments, names)
    if data is None:
        return None
    result = Result()
    options = Options(time_limit, grace, 0, 0)
    return _call(pool, function, data, len(data), byref(options), buffer, byref(result)) or result.data()


def take(job, values, size):
    """What has come back: how many elements' values were put into `values`, and a list of the others, which are tuples.

    The C module puts into `values`, if that is a list, the plain ones of groups of this size whose number is the element's index.
    Others: index, bytes; or, if they are plain: index, list, nanoseconds, size. Of what has no value: index, bytes, kind, exit code,
    signal, process, part.
    """
    found, result = [], Result()
    while True:
        kind = _job_next(job, byref(result))
        if kind == VALUE:
            owner = _job_keep(job) if result.length > LARGE else None
            data = memory(owner, result.bytes, result.length) if owner else result.data()
            found.append((result.index, data))
        elif kind:
            found.append((
                result.index, result.data(), kind, result.exit_code, result.signal, result.process, result.part))
        else:
            return 0, found


def give(job, items, start, end, size, first):
    """Gives groups of this size of the items from `start` to `end` of a list or a tuple, until one is not plain. Returns how many.

    `first` is the index of the first of these elements.
    """
    return 0


def wait(job, time):
    """Waits so many nanoseconds. Whether there is something to do for whoever waits."""
    return _job_wait(job, time) != 0


def serve(define, run, forget, functions, go_on):
    """Serves the pool that has started this process. None once it is told to stop, or why it could not.

    The last two are the C module's, which calls functions on plain values by itself.
    """

    def guarded(body):
        def callback(number, address, length):
            try:
                made = body(number, _bytes_at(address, length) if address or not length else _arrived(length))
                return _worker_emit(made, len(made)) if made is not None else 0
            except BaseException as error:  # nothing may leave through the engine
                text = str(error).encode("utf-8", "replace")
                _worker_fail(text, len(text))
                return 1

        return DEFINE(callback)

    problem = ctypes.create_string_buffer(4096)
    worker = Worker(guarded(define), guarded(run), FORGET(forget))
    if _worker_serve(byref(worker), problem, len(problem)):
        return problem.value.decode("utf-8", "replace")
    return None


def _arrived(length):
    """A long element, fetched."""
    data = bytearray(length)
    if _worker_read(ctypes.addressof(ctypes.c_char.from_buffer(data)), length):
        raise RuntimeError("an argument has not come as a whole")
    return data


def worker_part():
    """A view of the number that says which part of an element the worker is at."""
    return memoryview((c_uint64 * 1).from_address(_worker_part())).cast("B")


class Handle:
    """An object of the engine's, given back with this one."""

    __slots__ = ("pointer", "__weakref__")

    def __init__(self, pointer):
        self.pointer = pointer

    def __del__(self, release=release):
        pointer, self.pointer = getattr(self, "pointer", None), None
        if pointer:
            release(pointer)


def strings(values):
    """An array of C strings with a null pointer at its end."""
    return (c_char_p * (len(values) + 1))(*values, None)


def processes(pool):
    room = 64
    while True:
        numbers = (c_int32 * room)()
        count = pool_processes(pool, numbers, room)
        if count <= room:
            return list(numbers[:count])
        room = count


def statistics(pool):
    found = Statistics()
    pool_statistics(pool, byref(found))
    return {name: getattr(found, name) for name, _ in Statistics._fields_}


# The calls that every task makes.
if fast is not None:
    call, take, give, wait, serve = fast.call, fast.take, fast.give, fast.wait, fast.serve
    fast.views_memory_by(memory)
