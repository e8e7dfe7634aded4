"""Sends and receives that go on while their rank does something else."""

import atexit
import ctypes

from . import _message_kinds as kinds
from . import _messages as native

# Requests under way, with the memory that the library reads or writes: also when nobody holds them any more.
_under_way: dict = {}
_FEW = 8
_look_at = 0


def _let_go():
    """Forgets those that are done: always while they are few, or else when they are twice as many as were left the last time."""
    global _look_at
    if len(_under_way) < _FEW or len(_under_way) >= _look_at:
        for handle in [handle for handle in _under_way if native.request_is_done(handle.pointer)]:
            del _under_way[handle]
        _look_at = 2 * len(_under_way)


class Request:
    """A send or a receive under way.

    One that is let go of goes on all the same.
    """

    __slots__ = ("_handle", "_memory", "_into", "_value", "_is_over", "_ranks")

    def __init__(self, ranks, memory, into):
        self._ranks, self._memory, self._into = ranks, memory, into
        self._value, self._is_over = None, False

    @classmethod
    def send(cls, ranks, value, to, tag):
        # One whose length changes may lie elsewhere then.
        out = native.Outgoing(bytes(value) if type(value) is bytearray else value)
        return cls(ranks, out.owner, None)._start(native._start_send, ranks._pointer, ctypes.byref(out.value), to, tag)

    @classmethod
    def receive(cls, ranks, source, tag, into):
        if into is None:
            return cls(ranks, None, None)._start(native._start_receive, ranks._pointer, source, tag, None, 0, 0, 0, 0)
        address, nbytes = native.writable_extent(into)
        word, mask = native.type_word(into), kinds.TYPE_MASK
        if word is None:
            raise TypeError("`into` has elements of a type that no message has")
        view = memoryview(into)
        other = kinds.BYTES if view.itemsize == 1 else word
        # The view keeps the memory where it is.
        return cls(ranks, view, into)._start(
            native._start_receive, ranks._pointer, source, tag, address, nbytes, word, other, mask)

    def _start(self, function, *arguments):
        place = ctypes.c_void_p()
        native.call(function, *arguments, ctypes.byref(place))
        self._handle = native.Handle(place.value)
        _let_go()
        if not native.request_is_done(place):
            _under_way[self._handle] = self._memory
        return self

    def __repr__(self):
        return f"<apus.mpi.Request: {'done' if native.request_is_done(self._handle.pointer) else 'under way'}>"

    def test(self):
        """Whether it is over. Moves on what goes on, and waits for nothing. Raises what it ended with."""
        return native.call(native._request_test, self._handle.pointer)

    def wait(self):
        """Waits until it is over. Returns what a receive has received, None for a send."""
        if not self._is_over:
            try:
                native.call(native._request_wait, self._handle.pointer)
                self._value = self._take()
                self._is_over = True
            finally:
                # Not if the wait was interrupted.
                if native.request_is_done(self._handle.pointer):
                    self._forget_memory()
        return self._value

    def _forget_memory(self):
        _under_way.pop(self._handle, None)
        if isinstance(self._memory, memoryview):
            self._memory.release()
        self._memory = None

    def cancel(self):
        """Gives a receive up, which `wait` then raises `RequestCancelled` for. False if its message has come."""
        return bool(native.request_cancel(self._handle.pointer))

    @property
    def status(self):
        """What is known of the message, once it has come."""
        found = self._message()
        return found and found[0].status

    def _message(self):
        message, place = native.Message(), ctypes.c_void_p()
        if native._request_message(self._handle.pointer, ctypes.byref(message), ctypes.byref(place)):
            return message, place.value
        return None

    def _take(self):
        found = self._message()
        if found is None:
            return None
        message, place = found
        if self._into is not None:
            native.check_fit(message.kind, message.count, message.status, self._into, memoryview(self._into).nbytes)
            return self._into
        data = bytearray(message.count)
        if message.count:
            ctypes.memmove(native.extent(data)[0], place, message.count)
        return kinds.decode(message.kind, data)


def wait_all(requests):
    """Waits for all of them, and returns what each `wait` returns."""
    return [request.wait() for request in requests]


@atexit.register
def _keep():
    """What is still being sent when the program ends is read from its memory, which must not go before."""
    for memory in _under_way.values():
        if hasattr(ctypes, "pythonapi") and hasattr(ctypes.pythonapi, "Py_IncRef"):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
