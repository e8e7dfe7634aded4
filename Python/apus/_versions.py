"""Which globals of the main module the program has bound anew, or changed, since they were last sent."""

import itertools
import threading
import weakref
from types import BuiltinFunctionType, FunctionType

try:
    from _blake2 import blake2b  # `hashlib` loads OpenSSL as well, which takes longer than all else here
except ImportError:
    from hashlib import blake2b

_state = threading.local()
_bound, _numbers = {}, itertools.count(1)
# How often a global was sent that was another before.
rebindings = 0


def reference_to(value):
    """Calls to it return the value. It does not keep that, if it need not: it may be what holds the function."""
    try:
        return weakref.ref(value)
    except TypeError:  # a number, a text, a dictionary
        return lambda: value


class _Bound:
    """What a global was when it was last sent."""

    __slots__ = ("reference", "digest", "number")

    def __init__(self, value, digest):
        self.reference, self.digest, self.number = reference_to(value), digest, next(_numbers)


def version(name, value, digests, dump):
    """A number that stays as long as the global is neither bound anew nor changed. None for code, which is always sent anew, and
    for what can't be told.

    `digests`: those that are known, by `id`. `dump(new_file, value)` pickles it.
    """
    global rebindings
    if getattr(_state, "is_busy", False):
        return None
    is_code = issubclass(type(value), (FunctionType, type, BuiltinFunctionType))
    digest = None if is_code else _digest(value, digests, dump)
    known = _bound.get(name)
    if known is None or known.digest != digest or known.reference() is not value:
        if known is not None:
            rebindings += 1
        known = _bound[name] = _Bound(value, digest)
    return None if digest is None else known.number


def _digest(value, digests, dump):
    key = id(value)
    if key not in digests:
        _state.is_busy = True
        try:
            digests[key] = dump(_Digest, value).hash.digest()
        except Exception:
            digests[key] = None  # whoever pickles it finds out
        finally:
            _state.is_busy = False
    return digests[key]


class _Digest:
    """A file that keeps nothing but what tells it from others."""

    def __init__(self):
        self.hash = blake2b(digest_size=16)

    def write(self, data):
        self.hash.update(data)
        return memoryview(data).nbytes
