"""Which globals of the main module the program has bound anew, or changed, since they were last sent.

Each has a number, which is a new and higher one then. So has a name that stands for nothing.
"""

import itertools
import weakref
from types import FunctionType, ModuleType

from ._codec import PROTOCOL, Cached
from ._pickling import pickle

try:
    from _blake2 import blake2b  # `hashlib` loads OpenSSL as well, which takes longer than all else here
except ImportError:
    from hashlib import blake2b

# What a name stands for that stands for nothing.
MISSING = object()
_bound, _numbers = {}, itertools.count(1)


def version(name, value, digests):
    """The number of a global that is sent. `digests`: those that are known, by `id`."""
    digest, known = _digest(value, digests), _bound.get(name)
    if known is None or not known.is_it(value, digest):
        known = _bound[name] = _Bound(value, digest)
    return known.number


def number_of(name):
    """That with which a global was last sent, or None."""
    known = _bound.get(name)
    return None if known is None else known.number


class _Bound:
    """What a global was when it was last sent. It is not kept: it may be large, or gone in the program."""

    __slots__ = ("key", "reference", "digest", "number")

    def __init__(self, value, digest):
        self.key, self.reference, self.digest, self.number = id(value), _weak(value), digest, next(_numbers)

    def is_it(self, value, digest):
        return self.key == id(value) and self.digest == digest and (self.reference is None or self.reference() is value)


def _weak(value):
    try:
        return weakref.ref(value)
    except TypeError:  # a number, a text, a dictionary
        return None


def recognizer(value):
    """A function that says whether something is this value. The value may hold whoever asks, so it is not kept if it need not be."""
    reference = _weak(value)
    if reference is None:
        return lambda other: other is value
    # A reference to what is gone gives None.
    return lambda other: other is not None and reference() is other


def _digest(value, digests):
    """What differs once a value was changed in place; None if that can't be told."""
    if type(value) is FunctionType:
        return id(value.__code__), id(value.__defaults__), id(value.__kwdefaults__)
    key = id(value)
    if key not in digests:
        file = _Digest()
        try:
            _Fingerprint(file, PROTOCOL).dump(value)
            digests[key] = file.hash.digest()
        except Exception:
            digests[key] = None
    return digests[key]


class _Digest:
    """A file that keeps nothing but what tells it from others."""

    def __init__(self):
        self.hash = blake2b(digest_size=16)

    def write(self, data):
        self.hash.update(data)
        return memoryview(data).nbytes


class _Fingerprint(pickle.Pickler):
    """Code counts as itself, whatever it refers to."""

    def reducer_override(self, obj):
        if obj is _code or not issubclass(type(obj), (FunctionType, type, ModuleType, Cached)):
            return NotImplemented
        return _code, (id(obj),)


def _code(number):
    """Stands for a function, a class or a module."""
