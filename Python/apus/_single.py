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


def call(engine, function, args, kwds, settings):
    """Calls a function in a worker, and waits for the result."""
    found = None
    if not settings.retries:
        # The shortest way.
        found = native.call(
            engine.pointer, function.pointer, args, kwds, _buffer(), settings.limit, GRACE)
        if type(found) is list:
            return found[0]
    return SingleCall(engine, function, args, kwds, settings).run(found)


class SingleCall:
    """A call of one task, with any arguments. One thread at a time takes steps."""

    __slots__ = ("engine", "function", "arguments", "settings", "job", "result", "data")

    def __init__(self, engine, function, args, kwds, settings):
        self.engine, self.function, self.settings = engine, function, settings
        self.arguments, self.job, self.result, self.data = (args, kwds), None, PENDING, None

    def has_been_given(self, found):
        """The engine has it already: `found` is its result or the job."""
        if type(found) is bytes:
            self.result = self._decoded(found)
        else:
            self.job = native.Handle(found)

    def prepare(self):
        """Pickles the arguments."""
        if self.data is None and self.result is PENDING:
            try:
                self.data = dump_call(*self.arguments)
            except Exception as error:
                self.result = Failure(cannot("the argument can't be pickled", error, None))

    def begin(self, lends=False):
        """Gives it to the engine, which goes on with it by itself.

        `lends`: large buffers of the arguments stay as they are until it is over, and need not be copied.
        """
        self.prepare()
        data, self.data = self.data, None
        if data is None:
            return
        options, function = ctypes.byref(self.settings.options(self.settings.retries)), self.function.pointer
        self.job = native.Handle(native.job_new(self.engine.pointer, function, options))
        if type(data) is Frame:
            give = native.lend_pieces if lends else native.give_pieces
            give(self.job.pointer, data.pieces(), 0, 1)
        else:
            native.job_give(self.job.pointer, data, ctypes.byref(ctypes.c_uint64(len(data))), 1, 0, 1)

    def run(self, found=None):
        """The result, waited for. `found`: what `native.call` has come to."""
        try:
            if found is None:
                self.begin(lends=True)
            else:
                self.has_been_given(found)
            while self.result is PENDING:
                self.step(SLICE)
        except BaseException:
            self.cancel()
            raise
        native.end_loans()
        return self.result

    def step(self, time_limit):
        """Looks for the result, or waits for it so many nanoseconds. `result` is not `PENDING` if it is there."""
        for _, *result in native.take(self.job.pointer, None, 1)[1]:
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
