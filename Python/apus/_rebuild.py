"""What functions, classes and modules are made from again that travel by value; see `_by_value.py`. Whoever imports this imports
little.
"""

import builtins
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


def cell():
    return CellType()


def set_cell(cell, contents):
    cell.cell_contents = contents[0]


def function(code, names, closure):
    """A function without its state, which may refer to it."""
    code = marshal.loads(code)
    return FunctionType(code, names, code.co_name, None, closure or None)  # PyPy wants no empty one


def cached(function, parameters):
    from functools import lru_cache

    return lru_cache(**parameters)(function)


def set_state(function, state):
    """`versions` tells values of globals from others; None: it is not a function of that. `missing` are names that
    stand for nothing there."""
    attributes, slots, names, versions, missing, _ = state
    if versions is not None and _main_namespace.namespace is not None:
        _choose(names, versions, missing)
    function.__globals__.update(names)
    function.__globals__["__builtins__"] = builtins
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)


def _choose(names, versions, missing):
    """Leaves out of `names` those that the worker has from before, and may have changed."""
    namespace = _main_namespace.namespace
    for name, version in versions.items():
        if version is not None and _versions.get(name) == version and name in namespace:
            del names[name]
    for name in missing:
        # What a task has set stays.
        if name in _versions:
            del _versions[name]
            namespace.pop(name, None)
    _versions.update(versions)


# Classes that were made and have no state yet.
_incomplete = set()


def class_(make, *arguments):
    """A class of cloudpickle's; the one that is here already, if it is."""
    from cloudpickle.cloudpickle import _DYNAMIC_CLASS_TRACKER_BY_ID as known

    is_known = arguments[-2] in known
    found = make(*arguments)
    if not is_known:
        _incomplete.add(found)
    return found


def set_class_state(found, state):
    """One that is here already stays as it is. In the program it is the program's own."""
    from cloudpickle.cloudpickle import _class_setstate

    if found in _incomplete:
        _class_setstate(found, state)
        _incomplete.discard(found)
