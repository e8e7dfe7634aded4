"""Functions and classes of the main module, by value: cloudpickle, with one namespace for all of them in each worker.

What one function sets another one sees, as in the main module itself. A global that the program has not changed since it was last
sent does not overwrite what a worker has made of it.
"""

import hashlib
import io
import pickle
import threading

import cloudpickle
from cloudpickle.cloudpickle import _function_setstate

from . import _main_namespace

# In a worker: which version of each global of the main module the program has sent.
_versions = {}
_state = threading.local()


def dumps(obj, protocol, callback=None):
    file = io.BytesIO()
    _Pickler(file, protocol, buffer_callback=callback).dump(obj)
    return file.getvalue()


class _MainGlobals(dict):
    """Stands for the globals of the main module."""

    def __reduce__(self):
        return _main_globals, ()


def _main_globals():
    return {} if _main_namespace.namespace is None else _main_namespace.namespace


class _Pickler(cloudpickle.Pickler):
    def _dynamic_function_reduce(self, func):
        names = func.__globals__
        is_main = names.get("__name__") == "__main__"
        if is_main:
            self.globals_ref.setdefault(id(names), _MainGlobals())
        make, arguments, state, items, pairs, set_state = super()._dynamic_function_reduce(func)
        if not is_main:
            return make, arguments, state, items, pairs, set_state
        versions = {name: _version(value) for name, value in state[1]["__globals__"].items()}
        return make, arguments, (state, versions), items, pairs, _set_main_state


def _set_main_state(function, state):
    (attributes, slots), versions = state
    namespace = _main_namespace.namespace
    if namespace is not None:
        # Those that the worker has from before, and may have changed.
        for name, version in versions.items():
            if version is not None and _versions.get(name) == version and name in namespace:
                del slots["__globals__"][name]
        _versions.update(versions)
    _function_setstate(function, (attributes, slots))


class _Digest:
    """A file that keeps nothing but what tells it from others."""

    def __init__(self):
        self.hash = hashlib.blake2b(digest_size=16)

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
