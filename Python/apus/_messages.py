"""Messages between ranks, behind a C interface: `apus_python_messages.h` says what each function does."""

import atexit
import ctypes
import operator
import pickle
import sys
from collections import namedtuple
from ctypes import POINTER, Structure, byref, c_char, c_int32, c_int64, c_uint64, c_void_p

from . import _message_kinds as kinds
from . import errors
from ._library import c_module
from ._native import Handle, _declare, _long, _short

Status = namedtuple("Status", "source tag nbytes")
Status.__doc__ = "What is known of a message besides what was sent: its sender, its tag, and its length in bytes."


class Problem(Structure):
    _fields_ = [("code", c_int32), ("rank", c_int32), ("text", c_char * 4088)]


class Message(Structure):
    _fields_ = [("source", c_int64), ("tag", c_int64), ("kind", c_uint64), ("count", c_uint64)]

    @property
    def status(self):
        return Status(self.source, self.tag, self.count)


class Value(Structure):
    _fields_ = [("bytes", c_void_p), ("count", c_uint64), ("kind", c_uint64)]


ROOM = ctypes.CFUNCTYPE(c_void_p, c_void_p, POINTER(Message))
_PLACE = POINTER(c_void_p)
_PROBLEM = POINTER(Problem)

# These wait, or copy: the interpreter lock is free meanwhile.
_world = _declare(_long, "world", c_int32, c_int32, _PLACE, _PROBLEM)
_split = _declare(_long, "split", c_int32, c_void_p, c_int32, c_int64, c_int64, _PLACE, _PROBLEM)
_send = _declare(_long, "send", c_int32, c_void_p, POINTER(Value), c_int64, c_int64, c_int32, _PROBLEM)
_receive = _declare(_long, "receive", c_int32, c_void_p, c_int64, c_int64, c_int32, ROOM, c_void_p, _PROBLEM)
_probe = _declare(_long, "probe", c_int32, c_void_p, c_int64, c_int64, c_int32, POINTER(Message), _PROBLEM)
_start_send = _declare(_long, "start_send", c_int32, c_void_p, POINTER(Value), c_int64, c_int64, _PLACE, _PROBLEM)
_start_receive = _declare(
    _long, "start_receive", c_int32, c_void_p, c_int64, c_int64, c_void_p, c_uint64, c_uint64, c_uint64,
    c_uint64, _PLACE, _PROBLEM)
_request_test = _declare(_long, "request_test", c_int32, c_void_p, _PROBLEM)
_request_wait = _declare(_long, "request_wait", c_int32, c_void_p, _PROBLEM)
request_cancel = _declare(_short, "request_cancel", c_int32, c_void_p)
_request_message = _declare(_long, "request_message", c_int32, c_void_p, POINTER(Message), POINTER(c_void_p))
_barrier = _declare(_long, "barrier", c_int32, c_void_p, _PROBLEM)
_broadcast = _declare(_long, "broadcast", c_int32, c_void_p, POINTER(Value), c_int64, ROOM, c_void_p, _PROBLEM)
_broadcast_memory = _declare(_long, "broadcast_memory", c_int32, c_void_p, c_void_p, c_uint64, c_int64, _PROBLEM)
_scatter = _declare(_long, "scatter", c_int32, c_void_p, POINTER(Value), c_int64, ROOM, c_void_p, _PROBLEM)
_gather = _declare(_long, "gather", c_int32, c_void_p, POINTER(Value), c_int64, ROOM, c_void_p, _PROBLEM)
_allgather = _declare(_long, "allgather", c_int32, c_void_p, POINTER(Value), ROOM, c_void_p, _PROBLEM)
_alltoall = _declare(_long, "alltoall", c_int32, c_void_p, POINTER(Value), ROOM, c_void_p, _PROBLEM)
_reduction = _declare(
    _long, "reduction", c_int32, c_void_p, c_int32, c_void_p, c_void_p, c_uint64, c_int64, c_int32, c_int32, c_int64,
    _PROBLEM)
_reduce_scatter = _declare(
    _long, "reduce_scatter", c_int32, c_void_p, c_void_p, POINTER(c_int64), c_void_p, c_int64, c_int32, c_int32,
    _PROBLEM)
_agree_on_objects = _declare(
    _long, "agree_on_objects", c_int32, c_void_p, c_int32, c_int64, c_int32, c_int64, _PROBLEM)
abort = _declare(_long, "abort", None, c_void_p, c_int32)

# These wait for nobody.
rank = _declare(_short, "rank", c_int64, c_void_p)
size = _declare(_short, "size", c_int64, c_void_p)
request_is_done = _declare(_short, "request_is_done", c_int32, c_void_p)
_signals = _declare(_short, "signals", None, c_void_p)
_signals_raised = _declare(_short, "signals_raised", None, POINTER(c_void_p))

NOT_YET, INTERRUPTED, REFUSED = -1, 14, 15
_ERRORS = {
    1: errors.MessageError, 2: errors.InvalidArgument, 3: errors.TypeMismatch, 4: errors.TooLong, 5: errors.RankFailed,
    6: errors.RankEnded, 7: errors.CollectiveFailed, 8: errors.Deadlock, 9: errors.Finalized, 10: errors.ConcurrentUse,
    11: errors.TransportError, 12: errors.NoResources, 13: errors.StartUpFailed, 16: errors.RequestCancelled,
}


# What went wrong


def fail(code, rank, text):
    if "has the ranks 0 to 0" in text:
        text += ". It was started alone; `apus launch -n 4 python3 program.py` starts four ranks"
    raise _ERRORS.get(code, errors.MessageError)(text, None if rank < 0 else rank)


def call(function, *arguments):
    """Calls a function of the library. False: nothing has come yet."""
    problem = Problem()
    for argument in arguments:
        # It would be cut to 64 bits.
        if type(argument) is int and argument >> 63 not in (0, -1):
            raise errors.InvalidArgument(f"{argument} is no rank, tag or color: they have 64 bits at most")
    try:
        status = function(*arguments, byref(problem))
    except ctypes.ArgumentError:
        try:
            status = function(*map(_number, arguments), byref(problem))
        except ctypes.ArgumentError:
            raise TypeError("ranks, tags, roots, colors and keys are ints") from None
    if status == NOT_YET:
        return False
    if status == INTERRUPTED:
        raise _raised()
    if status:
        fail(problem.code, problem.rank, problem.text.decode("utf-8", "replace"))
    return True


def _number(argument):
    """NumPy's integers are none to ctypes."""
    if isinstance(argument, (float, str)):
        raise TypeError(f"ranks, tags, roots, colors and keys are ints, not {argument!r}")
    return operator.index(argument) if hasattr(type(argument), "__index__") else argument


def _raised():
    """What the handler of a signal has raised in the middle of a wait."""
    found = (c_void_p * 3)()
    _signals_raised(found)
    objects = []
    for address in found:
        if address:
            objects.append(ctypes.cast(address, ctypes.py_object).value)
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(objects[-1]))
        else:
            objects.append(None)
    kind, value, trace = objects
    if kind is None:
        return errors.MessageError("a wait was interrupted", None)
    if not isinstance(value, BaseException):
        value = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
    return value.with_traceback(trace) if trace is not None else value


def watch_signals():
    """Has the handlers of signals called while a rank waits for another one on its machine. Not by PyPy, which has no such
    call: there the launcher ends the rank."""
    if sys.implementation.name != "cpython":
        return
    names = ("PyGILState_Ensure", "PyGILState_Release", "PyErr_CheckSignals", "PyErr_Fetch")
    _signals((c_void_p * 4)(*(ctypes.cast(getattr(ctypes.pythonapi, name), c_void_p).value for name in names)))
    # What still goes on then is without an interpreter.
    atexit.register(_signals, (c_void_p * 4)())


# Objects as the library takes and gives them


class Outgoing:
    """An object on its way, with its bytes: as long as this lives."""

    __slots__ = ("owner", "value")

    def __init__(self, item):
        kind, self.owner = kinds.encode(item)
        self.value = Value(*extent(self.owner), kind)


def extent(buffer):
    """Address and length of what has contiguous memory."""
    if type(buffer) is bytes:
        return ctypes.cast(ctypes.c_char_p(buffer), c_void_p).value, len(buffer)
    interface = getattr(buffer, "__array_interface__", None)
    if interface is not None:
        return interface["data"][0], buffer.nbytes
    view = memoryview(buffer).cast("B")
    return (ctypes.addressof((c_char * len(view)).from_buffer(view)) if len(view) else None), len(view)


def memory_of(array):
    """Address of a contiguous array, and of nothing if it has no elements."""
    return array.__array_interface__["data"][0] if array.nbytes else None


class Incoming:
    """Where objects land that come in a call."""

    def __init__(self):
        self.messages, self.places, self.problem = [], [], None
        self.callback = ROOM(self.room)

    def room(self, _, message):
        try:
            message = message.contents
            self.messages.append((message.kind, message.status))
            place = self.place(message.kind, message.count)
            self.places.append(place)
            return extent(place)[0] or ctypes.addressof(_NOWHERE)
        except BaseException as problem:  # nothing may leave through the library
            self.problem = self.problem or problem
            return None

    def place(self, kind, count):
        if kind & 255 == kinds.ARRAY:
            import numpy

            return numpy.empty(*kinds.layout(kind, count, numpy))
        return bytearray(count)

    def objects(self):
        return [
            place if kind & 255 == kinds.ARRAY else kinds.decode(kind, place)
            for (kind, _), place in zip(self.messages, self.places)
        ]


class IncomingInto(Incoming):
    """Where a message lands whose receiver has the memory for it."""

    def __init__(self, into):
        super().__init__()
        self.into = into
        self.address, self.nbytes = writable_extent(into)

    def place(self, kind, count):
        check_fit(kind, count, self.messages[-1][1], self.into, self.nbytes)
        return self.into

    def objects(self):
        return [self.into]


_NOWHERE = c_char()


def writable_extent(into):
    view = memoryview(into)
    if view.readonly:
        raise BufferError("`into` can't be written to")
    if not view.contiguous:
        raise BufferError("`into` is not contiguous")
    return extent(into)


def type_word(into):
    """Kind and type of elements of the messages that may go to such memory; those of bytes besides, if it is bytes."""
    dtype = getattr(into, "dtype", None)
    if dtype is not None and not dtype.isnative:
        return None
    code = kinds.CHARS.find(memoryview(into).format if dtype is None else dtype.char)
    return kinds.ARRAY | code << 8 if code >= 0 else None


def check_fit(kind, count, status, into, nbytes):
    fits = kind & kinds.TYPE_MASK == type_word(into) or kind & 255 == kinds.BYTES and memoryview(into).itemsize == 1
    if fits and kind & 255 == kinds.ARRAY and memoryview(into).ndim > 1 and kind >> 14 & 15 > 1:
        fits = bool(kind >> 13 & 1) == (not memoryview(into).c_contiguous)
    if not fits:
        raise errors.TypeMismatch(
            f"a message of another type than that of the elements of `into` came from rank {status.source} under tag "
            f"{status.tag}; it is gone", status.source)
    if count > nbytes:
        raise errors.TooLong(
            f"a message of {count} bytes came from rank {status.source}, and there is room for {nbytes}; it is gone",
            status.source)


class _Ranks:
    """The calls that every message makes."""

    def __init__(self, handle):
        self._pointer = handle

    def send(self, value, to, tag=0):
        out = Outgoing(value)
        call(_send, self._pointer, byref(out.value), to, tag, 1)

    def receive(self, source=-1, tag=-1, into=None, status=False):
        incoming = Incoming() if into is None else IncomingInto(into)
        take(incoming, _receive, self._pointer, source, tag, 1, incoming.callback, None)
        value = incoming.objects()[0]
        return (value, incoming.messages[0][1]) if status else value


def take(incoming, function, *arguments):
    """A call with a place for what comes. A problem of the place is the reason for that of the call, and goes before it."""
    try:
        call(function, *arguments)
    except errors.MessageError:
        if incoming.problem is None:
            raise
    finally:
        # They hold each other, and it holds all that came.
        incoming.callback = None
    if incoming.problem is not None:
        raise incoming.problem


def values_for(items):
    """An array of values, and what keeps their bytes."""
    outgoing = [Outgoing(item) for item in items]
    return (Value * len(outgoing))(*(out.value for out in outgoing)), outgoing


def _know_numpy():
    import numpy

    _fast_messages.know_numpy(numpy.ndarray, numpy.empty, tuple(numpy.dtype(char) for char in kinds.CHARS))


_fast_messages = c_module("_fast_messages")
if _fast_messages is not None:
    _fast_messages.bind(
        *(ctypes.cast(function, c_void_p).value for function in (_send, _receive, _signals_raised)),
        pickle.dumps, pickle.loads, pickle.HIGHEST_PROTOCOL, kinds.encode, kinds.decode, fail, Status, _know_numpy)
Ranks = _Ranks if _fast_messages is None else _fast_messages.Ranks
