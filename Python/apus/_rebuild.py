"""What functions and modules are made from again that travel by value; see `_by_value.py`. Whoever imports this imports little."""

import marshal
import sys
from types import CellType, FunctionType

from . import _main_namespace

# In a worker: which version of each global of the main module the program has sent.
_versions = {}


def module(name):
    __import__(name)
    return sys.modules[name]


def main_globals():
    return {} if _main_namespace.namespace is None else _main_namespace.namespace


def cell(*contents):
    return CellType(*contents)


def function(code, names, cells):
    """A function without its state, which may refer to it."""
    code = marshal.loads(code)
    closure = tuple(CellType() for _ in range(cells)) or None  # PyPy wants no empty one
    return FunctionType(code, names, code.co_name, None, closure)


def cached(function, parameters):
    from functools import lru_cache

    return lru_cache(**parameters)(function)


def set_state(function, state):
    """`versions` tells the values of globals of the main module from others; None: it is not one of that."""
    attributes, slots, names, closure, versions, _ = state
    if versions is not None and _main_namespace.namespace is not None:
        # Those that the worker has from before, and may have changed.
        for name, version in versions.items():
            if version is not None and _versions.get(name) == version and name in _main_namespace.namespace:
                del names[name]
        _versions.update(versions)
    function.__globals__.update(names)
    function.__globals__["__builtins__"] = __builtins__
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)
    for place, cell in zip(function.__closure__ or (), closure or ()):
        try:
            place.cell_contents = cell.cell_contents
        except ValueError:
            pass  # it was not set yet
