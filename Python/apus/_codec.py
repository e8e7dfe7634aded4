"""Objects as bytes.

Plain pickle where it will do. A function or class of `__main__`, a lambda, and what is defined inside of a function travel by
value (`_by_value.py`): a worker does not import the main module.
"""

import io
import pickle
import traceback
from types import FunctionType

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
        from . import _by_value

        return _by_value.dumps(obj, PROTOCOL)


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
