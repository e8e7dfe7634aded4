"""Objects as bytes.

Plain pickle where it will do. A function or class of `__main__`, a lambda, and what is defined inside of a function travel by
value (`_by_value.py`): a worker does not import the main module.
"""

import io
from types import FunctionType

from . import _frames
from ._library import fast
from ._pickling import pickle
from ._plain import plain, plain_call
from ._protocol import FRAME
from ._slice import Slice

try:
    from _functools import _lru_cache_wrapper as Cached
except ImportError:  # it is a plain function, then
    Cached = ()

PROTOCOL = 5
# What is pickled by its name.
_NAMED = FunctionType, type, *((Cached,) if Cached else ())


def is_by_value(obj):
    """Whether a function, class or cached function has no name under which a worker could find it."""
    module = getattr(obj, "__module__", None)
    return module == "__main__" or module is None or "<" in getattr(obj, "__qualname__", "<")


class _ByValue(Exception):
    """Plain pickle would name what a worker can't find."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj):
        if issubclass(type(obj), _NAMED) and is_by_value(obj):
            raise _ByValue
        return NotImplemented


def dumps(obj, buffers=None):
    """Pickles an object. Raises what its parts raise. Its large buffers are added to `buffers`, if there is such a list."""
    file, callback = io.BytesIO(), None if buffers is None else _frames.keeper(buffers)
    try:
        _Pickler(file, PROTOCOL, buffer_callback=callback).dump(obj)
        return file.getvalue()
    except (_ByValue, pickle.PicklingError):
        pass  # the latter is that of a class of a function's that has come by value, and has lost its full name
    if buffers:
        buffers.clear()
    from . import _by_value

    return _by_value.dumps(obj, buffers)


def dump_values(values, flags=0):
    """The bytes of a list or a `Slice`, which begin with `flags`, for `load_values`. A `Frame` if it has large buffers."""
    if type(values) is Slice:
        data = plain(values.source, values.start, values.end, flags)
        if data is None:
            return dump_values(list(values), flags)
    else:
        data = plain(values, 0, len(values), flags)
    if data is not None:
        return data
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
    if first == _PLAIN:
        return fast.load_plain(data if type(data) is bytes else bytes(data))
    if first & FRAME:
        return _frames.loads(data)
    return load_values(memoryview(data)[1:])


loads = pickle.loads
# How pickles begin, and lists of plain values.
_PICKLED, _PLAIN = 0x80, ord("[")
