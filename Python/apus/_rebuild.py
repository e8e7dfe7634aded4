"""What functions, classes and modules are made from again that travel by value; see `_by_value.py`. Whoever imports this imports
little.
"""

import builtins
import marshal
import sys
from types import CellType, FunctionType

from . import _main_namespace

# In a worker: the number of each global of the main module that the program has sent; see `_versions.py`.
_versions = {}


def module(name):
    __import__(name)
    return sys.modules[name]


def main_globals():
    namespace = _main_namespace.of_loaded()
    return {} if namespace is None else namespace


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
    """`versions` are the numbers of globals of the main module; None: it is not a function of that."""
    attributes, slots, names, versions, _ = state
    namespace = _main_namespace.of_loaded()
    if versions is not None and namespace is not None:
        _choose(namespace, names, versions)
    function.__globals__.update(names)
    function.__globals__["__builtins__"] = builtins
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)


def _choose(namespace, names, versions):
    """Leaves those of the names that the worker does not have, or has an older value of. Removes what is gone in the program."""
    for name, version in versions.items():
        known = _versions.get(name, 0)
        if known >= version:
            names.pop(name, None)
            continue
        _versions[name] = version
        # What was never sent a task has set.
        if name not in names and known:
            namespace.pop(name, None)


def cached_property(function, name):
    from functools import cached_property

    found = cached_property(function)
    found.attrname = name
    return found


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
