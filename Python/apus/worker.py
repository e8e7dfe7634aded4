"""What a task sees of the worker that it runs in, and what a worker keeps between tasks."""

import os
import threading
from types import GenericAlias

from . import _main_namespace

__all__ = ["Worker", "WorkerLocal", "current_worker"]

# Of a thread that is a worker: the `Worker`.
here = threading.local()
# Of a process: what it has set.
_values = {}
# The element whose task was tried before, and how often.
_again = None, 0


class Worker:
    """The worker that a task runs in.

    `number`: which of its pool's workers it is, from 0 on; the one in place of a dead one has its number.
    `attempt`: which attempt at the task this is: 1, and one more each time that a worker died in it.
    """

    __slots__ = ("number", "attempt", "_values", "_threads")

    def __init__(self, number, attempt, values, threads=None):
        self.number, self.attempt, self._values = number, attempt, values
        # If it is a thread: those that it is one of.
        self._threads = threads

    def __repr__(self):
        return f"<apus.Worker number={self.number} attempt={self.attempt}>"


def current_worker():
    """The worker that runs this, and its attempt at the task; None outside of a pool's workers."""
    found = getattr(here, "worker", None)
    if found is not None or _main_namespace.namespace is None:
        return found
    from . import _native

    task = _native.worker_task()
    if task is None:
        return None
    tries = task.tries + (_again[1] if _again[0] == task.element else 0)
    return Worker(task.worker, tries + 1, _values)


_MISSING = object()


class WorkerLocal:
    """A value that each worker has for itself: what an initializer makes, and tasks use."""

    __slots__ = ("_key",)
    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self):
        self._key = os.urandom(12)

    def set(self, value):
        """Sets the value of this worker. It is kept until the worker ends, or sets another one."""
        self._values()[self._key] = value

    def get(self, default=_MISSING):
        """The value of this worker. If none was set: `default`, or LookupError."""
        value = self._values().get(self._key, default)
        if value is _MISSING:
            raise LookupError("this worker has no value here: set it in the pool's initializer")
        return value

    def _values(self):
        worker = getattr(here, "worker", None)
        return _values if worker is None else worker._values

    def __reduce__(self):
        return _local, (self._key,)


def _local(key):
    found = WorkerLocal()
    found._key = key
    return found


class Again:
    """An item whose task is tried again: it says so as the worker unpickles it."""

    def __init__(self, item, tries):
        self.item = item.item if type(item) is Again else item
        self.tries = tries

    def __reduce__(self):
        return _try_again, (self.item, self.tries)


def _try_again(item, tries):
    from . import _native

    global _again
    task = _native.worker_task()
    if task is not None:
        _again = task.element, tries
    return item
