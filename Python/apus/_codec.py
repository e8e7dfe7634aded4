"""Objects as bytes.

Plain pickle where it will do. A function or class of `__main__`, a lambda, and what is defined inside of a function travel by
value (`_by_value.py`): a worker does not import the main module.
"""

import io
import marshal
from types import FunctionType

from . import _frames
from ._pickling import pickle
from ._plain import plain, plain_call
from ._protocol import FRAME
from .errors import EncodingError, RemoteError, RemoteTraceback, TaskExited

PROTOCOL = 5


class _ByValue(Exception):
    """Plain pickle would name what a worker can't find."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj):
        if isinstance(obj, (FunctionType, type)):
            module = getattr(obj, "__module__", None)
            if module == "__main__" or module is None or "<" in obj.__qualname__:
                raise _ByValue
        return NotImplemented


def dumps(obj, buffers=None):
    """Pickles an object. Raises what its parts raise. Its large buffers are added to `buffers`, if there is such a list."""
    file, callback = io.BytesIO(), None if buffers is None else _frames.keeper(buffers)
    try:
        _Pickler(file, PROTOCOL, buffer_callback=callback).dump(obj)
        return file.getvalue()
    except (_ByValue, pickle.PicklingError):
        # The latter is that of a class of a function's that has come by value, and has lost its full name.
        if buffers:
            buffers.clear()
        from . import _by_value

        return _by_value.dumps(obj, PROTOCOL, callback)


def dump_values(values, flags=0):
    """The bytes of a list, which begin with `flags`, for `load_values`. A `Frame` if it has large buffers."""
    data = plain(values)
    if data is None:
        buffers = []
        data = dumps(values, buffers)
        if buffers:
            return _frames.Frame(data, buffers, flags)
    return bytes((flags,)) + data if flags else data


def dump_call(arguments, names):
    """The same of a list of one call's arguments."""
    return plain_call(arguments, names) or dump_values([(arguments, names)])


def load_values(data):
    """A list again."""
    first = data[0]
    if first == _PICKLED:
        return loads(data)
    if first == _MARSHALLED:
        return marshal.loads(data)
    if first & FRAME:
        return _frames.loads(data)
    return load_values(memoryview(data)[1:])


loads = pickle.loads
# How pickles begin, and lists of marshal's.
_PICKLED, _MARSHALLED = 0x80, ord("[")


def dump_function(function):
    """Pickles what a worker is to call."""
    try:
        return dumps(function)
    except Exception as error:
        raise EncodingError(f"the function {function!r} can't be pickled: {_describe(error)}") from error


def is_by_value(function):
    """Whether it is a plain function that travels by value."""
    return type(function) is FunctionType and (
        function.__module__ in ("__main__", None) or "<" in function.__qualname__)


def bindings(function):
    """What a function that travels by value refers to by name: triples of a namespace, a name and what it is there.

    Through other such functions, too. Not the function itself, which would keep itself.
    """
    root = function
    found, seen, left = [], {id(function)}, [function]
    while left:
        function = left.pop()
        names, values = function.__globals__, []
        for name in _names(function.__code__):
            if name in names and names[name] is not root:
                found.append((names, name, names[name]))
                values.append(names[name])
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # not set yet
                continue
            if value is root:
                continue
            found.append((_Cell(cell), None, value))
            values.append(value)
        for value in values:
            if is_by_value(value) and id(value) not in seen:
                seen.add(id(value))
                left.append(value)
    return found


def _names(code):
    """Which names its code, and the code in it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _names(constant)


class _Cell:
    """A variable of an outer function, looked up as in a namespace."""

    __slots__ = ("cell",)

    def __init__(self, cell):
        self.cell = cell

    def get(self, _, default=None):
        try:
            return self.cell.cell_contents
        except ValueError:
            return default


def _describe(error):
    return f"{type(error).__name__}: {error}"


def dump_exception(error):
    """An exception that a task has raised, for `load_exception`. Whatever its methods do."""
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except BaseException:
        message = "<its message can't be had>"
    try:
        text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    except BaseException:
        text = "".join(traceback.format_tb(error.__traceback__)) + name
    try:
        pickled = dumps(error)
        loads(pickled)
    except BaseException:
        pickled = None
    return pickled, name, message, text


def load_exception(parts, index):
    """The exception again, with the worker's traceback as its cause; a `RemoteError` if it can't be rebuilt."""
    pickled, name, message, text = parts
    error = None
    if pickled is not None:
        try:
            error = loads(pickled)
        except BaseException:
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
    try:
        error.__cause__ = trace
    except BaseException:
        error = RemoteError(f"{name}: {message}", index)
        error.__cause__ = trace
    return error
