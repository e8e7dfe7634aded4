"""Objects that a pool's workers are sent once each."""

import os
from types import GenericAlias
from weakref import WeakValueDictionary

from ._codec import dumps, loads
from .errors import EncodingError

__all__ = ["Shared"]

# What this process shares, by key. In a worker: what it was sent, pickled until it is asked for; and the keys by the
# numbers that the engine has given them.
_own = WeakValueDictionary()
_pickled, _values, _keys = {}, {}, {}
_KEY = 12


class Shared:
    """Stands for an object of `Pool.share`, which is not sent along with it.

    The workers keep the object until the program holds this no more, and no call that has begun.
    """

    __slots__ = ("_key", "_value", "_handle", "__weakref__")
    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, key, value=None, handle=None):
        self._key, self._value, self._handle = key, value, handle

    @property
    def value(self):
        """The object. In a worker it is unpickled when it is first asked for."""
        return self._value if self._handle is not None else _received(self._key)

    def __reduce__(self):
        return _find, (self._key,)


def share(engine, value, mode):
    """Has an engine's workers sent an object. `mode` tells them what it is."""
    from . import _native as native

    key = os.urandom(_KEY)
    try:
        data = b"".join((dumps(value), key, bytes([mode])))
    except Exception as error:
        raise EncodingError(f"the object to share can't be pickled: {type(error).__name__}: {error}") from error
    found = Shared(key, value, native.Handle(native.pool_share(engine.pointer, data, len(data))))
    _own[key] = found
    return found


def share_with_threads(value):
    """The same for workers that are threads of this process."""
    return Shared(None, value, True)


def _find(key):
    return _own.get(key) or Shared(key)


def _received(key):
    try:
        return _values[key]
    except KeyError:
        pass
    data = _pickled.get(key)
    if data is None:
        raise LookupError(
            "the object is not shared with this worker: its pool is another one (share it with this one, too), or the "
            "program has let go of what `share` returned")
    try:
        value = loads(data)
    except Exception as error:
        raise EncodingError(f"the worker can't unpickle the shared object: {type(error).__name__}: {error}") from error
    _values[key] = value
    del _pickled[key]
    return value


def receive(number, data):
    """A worker is sent an object."""
    key = _keys[number] = data[-1 - _KEY:-1]
    _pickled[key] = data


def forget(number):
    key = _keys.pop(number, None)
    _pickled.pop(key, None)
    _values.pop(key, None)
