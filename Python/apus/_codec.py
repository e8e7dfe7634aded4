"""Objects as bytes.

Plain pickle where it will do. A function or class of `__main__`, a lambda, and what is defined inside of a function travel by
value, by cloudpickle: a worker does not import the main module.
"""

import io
import pickle
import traceback
from types import FunctionType, MethodType

from .errors import EncodingError, RemoteError, RemoteTraceback, TaskExited

PROTOCOL = 5 if pickle.HIGHEST_PROTOCOL >= 5 else pickle.HIGHEST_PROTOCOL
loads = pickle.loads


class _ByValue(Exception):
    """Plain pickle would name what a worker can't find."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj):
        if isinstance(obj, (FunctionType, type)):
            module = getattr(obj, "__module__", None)
            if module == "__main__" or module is None or "<" in obj.__qualname__:
                raise _ByValue
        return NotImplemented


def dumps(obj):
    """Pickles an object. Raises what its parts raise."""
    file = io.BytesIO()
    try:
        _Pickler(file, PROTOCOL).dump(obj)
        return file.getvalue()
    except _ByValue:
        import cloudpickle

        return cloudpickle.dumps(obj, PROTOCOL)


def dump_values(values):
    """The same of a list. Quicker for a single plain value."""
    if len(values) == 1 and type(values[0]) in _ATOMS:
        return pickle.dumps(values, PROTOCOL)
    return dumps(values)


def dump_call(arguments, names):
    """The same of a list of one call's arguments."""
    if names:
        return dumps([(arguments, names)])
    for argument in arguments:
        if type(argument) not in _ATOMS:
            return dumps([(arguments, names)])
    return pickle.dumps([(arguments, names)], PROTOCOL)


# What has nothing in it that plain pickle could not find.
_ATOMS = frozenset((int, float, str, bytes, bool, type(None)))


def dump_function(function):
    """Pickles what a worker is to call."""
    try:
        return dumps(function)
    except Exception as error:
        raise EncodingError(f"the function {function!r} can't be pickled: {_describe(error)}") from error


def _describe(error):
    return f"{type(error).__name__}: {error}"


def dump_exception(error):
    """An exception that a task has raised, for `load_exception`."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    try:
        message = str(error)
    except Exception:
        message = "<its message can't be had>"
    try:
        pickled = dumps(error)
        loads(pickled)
    except Exception:
        pickled = None
    return pickled, name, message, text


def load_exception(parts, index):
    """The exception again, with the worker's traceback as its cause; a `RemoteError` if it can't be rebuilt."""
    pickled, name, message, text = parts
    error = None
    if pickled is not None:
        try:
            error = loads(pickled)
        except Exception:
            pass
    trace = RemoteTraceback(f'\n"""\n{text}"""')
    if not isinstance(error, BaseException):
        error = RemoteError(f"{name}: {message}", index)
    elif not isinstance(error, Exception):
        # Raised here it would end this program, and nobody would see why.
        outer = TaskExited(f"it raised {name}{f': {message}' if message else ''}", index)
        error.__cause__ = trace
        outer.__cause__ = error
        return outer
    error.__cause__ = trace
    return error
