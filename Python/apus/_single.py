"""A call of one task."""

import ctypes
import threading

from . import _native as native
from ._codec import dump_call
from ._frames import Frame
from ._outcome import Failure, Group, cannot, decoded, failure
from ._settings import GRACE, SLICE

# Of a call that is not over.
PENDING = object()


class SingleCall:
    """A call of one task, with any arguments. One thread at a time takes steps."""

    __slots__ = ("engine", "function", "arguments", "settings", "job", "result", "data")

    def __init__(self, engine, function, args, kwds, settings):
        self.engine, self.function, self.settings = engine, function, settings
        self.arguments, self.job, self.result = (args, kwds), None, PENDING
        try:
            self.data = dump_call(args, kwds)
        except Exception as error:
            self.result = Failure(cannot("the argument can't be pickled", error, None))

    def begin(self):
        """Gives it to the engine, which goes on with it by itself."""
        if self.result is not PENDING:
            return
        options, function = ctypes.byref(self.settings.options(self.settings.retries)), self.function.pointer
        self.job = native.Handle(native.job_new(self.engine.pointer, function, options))
        if type(self.data) is Frame:
            native.give_pieces(self.job.pointer, self.data.pieces(), 0, 1)
        else:
            native.job_give(self.job.pointer, self.data, ctypes.byref(ctypes.c_uint64(len(self.data))), 1, 0, 1)

    def run(self):
        """The result, waited for. The shortest way for a short task."""
        if self.result is PENDING:
            if self.settings.retries or type(self.data) is not bytes:
                self.begin()
            else:
                found = native.call(
                    self.engine.pointer, self.function.pointer, self.data, _buffer(), self.settings.limit, GRACE)
                if type(found) is list:
                    self.result = found[0]
                    return self.result
                if type(found) is bytes:
                    self.result = self._decoded(found)
                else:
                    self.job = native.Handle(found)
        try:
            while self.result is PENDING:
                self.step(SLICE)
        except BaseException:
            native.job_cancel(self.job.pointer)
            raise
        return self.result

    def step(self, time_limit):
        """Looks for the result, or waits for it so many nanoseconds. `result` is not `PENDING` if it is there."""
        for _, *result in native.take(self.job.pointer, None)[1]:
            return self._settle(*result)
        if native.job_is_over(self.job.pointer):
            self._settle(b"", native.CANCELLED, -1, -1, 0, 0)
        elif time_limit:
            native.wait(self.job.pointer, time_limit)

    def _settle(self, *result):
        """Takes what has come back, without its index."""
        if len(result) == 3:
            self.result = result[0][0]
        elif len(result) == 1:
            self.result = self._decoded(result[0])
        else:
            data, kind, exit_code, signal, process, _ = result
            self.result = Failure(failure(kind, data, exit_code, signal, process, None, self.settings))

    def _decoded(self, data):
        return decoded(data, Group(None, [self.arguments]))[0]

    def has_begun(self):
        """Whether a worker is at it."""
        return self.job is not None and native.job_stage(self.job.pointer) == 1

    def cancel(self):
        if self.job is not None:
            native.job_cancel(self.job.pointer)


_local = threading.local()


def _buffer():
    """Where the engine puts this thread's argument and result."""
    try:
        return _local.buffer.pointer
    except AttributeError:
        _local.buffer = native.Handle(native.buffer_new())
        return _local.buffer.pointer
