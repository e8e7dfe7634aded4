"""What comes back of a group of tasks: values, what they raised, or why there are none."""

from . import _native as native
from ._codec import load_values
from ._exceptions import load_exception
from ._main_namespace import load_apart
from ._pickling import pickle
from ._protocol import BROKEN, MIXED
from .errors import (
    EncodingError,
    MemoryLimitExceeded,
    PoolBroken,
    PoolClosed,
    TaskCancelled,
    TaskError,
    TaskTimeout,
    WorkerDied,
)


class Failure:
    """In place of a result: what the call raises for it."""

    __slots__ = ("error",)

    def __init__(self, error):
        self.error = error


class Mixed(list):
    """Results of which some may be failures."""

    __slots__ = ()


class Group:
    """Consecutive tasks that travel together."""

    __slots__ = ("first", "items", "size")

    def __init__(self, first, items):
        self.first, self.items, self.size = first, items, 0


def decoded(data, group):
    """A group's results. None if its tasks must be tried one by one."""
    code, first = data[-1], group.first
    if code == BROKEN:
        # The worker could not unpickle the arguments, or pickle the results, of all of them at once.
        if len(group.items) > 1:
            return None
        what, parts = pickle.loads(data)
        cause = load_exception(parts, first)
        return [Failure(_cause(EncodingError(f"{what}: {parts[1]}: {parts[2]}", first), cause))]
    try:
        values = load_apart(load_values, data)
    except (Exception, SystemExit) as error:
        return None if len(group.items) > 1 else [Failure(cannot("the result can't be unpickled", error, first))]
    if code == MIXED:
        values = Mixed(
            value if is_value else _failed(is_value, value, None if first is None else first + place)
            for place, (is_value, value) in enumerate(values))
    return values


def _failed(is_raised, parts, index):
    error = load_exception(parts, index)
    if is_raised is None:
        what = "the worker could not pickle the result"
        error = _cause(EncodingError(f"{what}: {parts[1]}: {parts[2]}", index), error)
    return Failure(error)


def cannot(what, error, index):
    return _cause(EncodingError(f"{what}: {type(error).__name__}: {error}", index), error)


def failure(kind, text, exit_code, signal, process, index, settings):
    """The error for a task that has no result."""
    text = text.decode("utf-8", "replace")
    if kind == native.DIED:
        return _died(text, exit_code, signal, process, index)
    if kind == native.TIME_LIMIT:
        limit = f" of {settings.time_limit:g} s" if settings.time_limit is not None else ""
        return TaskTimeout(f"the task exceeded its time limit{limit}, and its worker was killed", index)
    if kind == native.MEMORY_LIMIT:
        return MemoryLimitExceeded(
            f"the task exceeded its worker's memory limit of {settings.memory_limit / (1 << 20):g} MiB, and was killed", index)
    if kind == native.CANCELLED:
        return TaskCancelled("the task was cancelled", index)
    if kind == native.UNSERVED:
        text = text.replace("start hook failed: it threw ApusPython.PythonFailure: ", "initializer raised ")
        return PoolClosed(text) if text == "the pool is closed" else PoolBroken(text)
    return TaskError(text, index)


def _died(text, exit_code, signal, process, index):
    from signal import Signals

    if signal >= 0:
        try:
            how = f"signal {signal} ({Signals(signal).name})"
        except ValueError:
            how = f"signal {signal}"
    else:
        how = f"exit code {exit_code}" if exit_code >= 0 else "unknown exit status"
    message = f"its worker, process {process}, died: {how}"
    if text.strip():
        message += f"\nThe end of what it wrote to standard error:\n{text.rstrip()}"
    return WorkerDied(
        message, index, process, exit_code if exit_code >= 0 else None, signal if signal >= 0 else None, text)


def _cause(error, cause):
    error.__cause__ = cause
    return error
