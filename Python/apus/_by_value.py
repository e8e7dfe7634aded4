"""Functions and classes of the main module, by value: cloudpickle, with one namespace for all of them in each worker.

What one function sets another one sees, as in the main module itself. A global that the program has not changed since it was last
sent does not overwrite what a worker has made of it.
"""

import io
import marshal
import pickle
import threading
from collections import ChainMap
from types import CellType, ModuleType

import cloudpickle
from cloudpickle.cloudpickle import _module_reduce, subimport

from . import _rebuild

try:
    from _blake2 import blake2b  # `hashlib` loads OpenSSL as well, which takes longer than the rest of this module
except ImportError:
    from hashlib import blake2b

_state = threading.local()


def dumps(obj, protocol, callback=None):
    file = io.BytesIO()
    _Pickler(file, protocol, buffer_callback=callback).dump(obj)
    return file.getvalue()


class _MainGlobals(dict):
    """Stands for the globals of the main module."""

    def __reduce__(self):
        return _rebuild.main_globals, ()


def _reduce_cell(cell):
    try:
        return _rebuild.cell, (cell.cell_contents,)
    except ValueError:
        return _rebuild.cell, ()


def _reduce_module(module):
    reduced = _module_reduce(module)
    return (_rebuild.module, reduced[1]) if reduced[0] is subimport else reduced


class _Pickler(cloudpickle.Pickler):
    """Functions, cells and modules are made again without cloudpickle, whose import takes as long as to start a worker."""

    dispatch_table = ChainMap(
        {CellType: _reduce_cell, ModuleType: _reduce_module}, cloudpickle.Pickler.dispatch_table)

    def _dynamic_function_reduce(self, func):
        is_main = func.__globals__.get("__name__") == "__main__"
        if is_main:
            self.globals_ref.setdefault(id(func.__globals__), _MainGlobals())
        _, (code, names, *_), (attributes, slots), *_ = super()._dynamic_function_reduce(func)
        found, closure = slots.pop("__globals__"), slots.pop("__closure__")
        versions = {name: _version(value) for name, value in found.items()} if is_main else None
        # They are imported there, since they are named.
        modules = slots.pop("_cloudpickle_submodules", ())
        state = attributes, slots, found, closure, versions, modules
        return _rebuild.function, (marshal.dumps(code), names, len(closure or ())), state, None, None, _rebuild.set_state


class _Digest:
    """A file that keeps nothing but what tells it from others."""

    def __init__(self):
        self.hash = blake2b(digest_size=16)

    def write(self, data):
        self.hash.update(data)
        return len(data)


def _version(value):
    """What tells a value from others; None for code, which is always sent anew, and for what can't be told."""
    if callable(value) or getattr(_state, "is_busy", False):
        return None
    digest = _Digest()
    _state.is_busy = True
    try:
        _Pickler(digest, pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception:
        return None  # whoever pickles it finds out
    finally:
        _state.is_busy = False
    return digest.hash.digest()
