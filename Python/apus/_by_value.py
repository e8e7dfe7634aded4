"""Functions of the main module by value, with one namespace for all of them in each worker.

What one function sets another one sees, as in the main module itself. A global that the program has neither bound anew nor changed
since it was last sent does not overwrite what a worker has made of it.

Plain functions need no more than this module. Where one refers to a class of the main module, say, cloudpickle pickles it
(`_by_cloudpickle.py`), whose import takes as long as to start a worker.
"""

import gc
import marshal
import sys
from io import BytesIO
from types import CellType, FunctionType, ModuleType

from . import _frames, _rebuild
from ._codec import PROTOCOL, Cached, is_by_value
from ._functions import is_function_by_value
from ._main_namespace import is_of_main
from ._names import names_in, names_of_globals
from ._pickling import pickle
from ._versions import MISSING, version


class _NotPlain(Exception):
    """It is left to cloudpickle."""


def dumps(obj, buffers=None):
    """Pickles an object that may refer to what travels by value; see `dumps` of `_codec.py`."""
    callback = None if buffers is None else _frames.keeper(buffers)
    # Of modules that its user wants to travel by value only cloudpickle knows.
    registered = getattr(sys.modules.get("cloudpickle.cloudpickle"), "_PICKLE_BY_VALUE_MODULES", ())
    if not registered:
        file = BytesIO()
        try:
            _Pickler(file, PROTOCOL, buffer_callback=callback).dump(obj)
            return file.getvalue()
        except Exception:
            pass  # cloudpickle knows of more than this, and raises what is to be told
    from . import _by_cloudpickle

    if buffers:
        buffers.clear()
    file = BytesIO()
    _by_cloudpickle.Pickler(file, PROTOCOL, buffer_callback=callback).dump(obj)
    return file.getvalue()


class MainGlobals(dict):
    """Stands for the globals of the main module."""

    def __reduce__(self):
        return _rebuild.main_globals, ()


class _Pickler(pickle.Pickler):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.globals, self.digests = MainGlobals(), {}

    def reducer_override(self, obj):
        kind = type(obj)
        if kind is FunctionType:
            return self._reduce_function(obj) if is_function_by_value(obj) else NotImplemented
        if issubclass(kind, type):
            if is_by_value(obj):
                raise _NotPlain
        elif issubclass(kind, Cached):
            return reduce_cached(obj) if is_by_value(obj) else NotImplemented
        elif kind is CellType:
            return reduce_cell(obj)
        elif kind is ModuleType:
            if obj.__name__ not in sys.modules or obj.__name__ == "__main__":
                raise _NotPlain
            return _rebuild.module, (obj.__name__,)
        elif kind.__module__ in ("typing", "typing_extensions"):
            raise _NotPlain  # type variables have the names of globals
        return NotImplemented

    def _reduce_function(self, function):
        if not is_of_main(function):
            raise _NotPlain
        slots = {name: getattr(function, name) for name in _SLOTS}
        return reduced(function, self.globals, dict(function.__dict__), slots, self.digests)


_SLOTS = ("__name__", "__qualname__", "__annotations__", "__kwdefaults__", "__defaults__", "__module__", "__doc__")


def reduced(function, namespace, attributes, slots, digests, names=None, modules=()):
    """How a function is pickled.

    `names`: if it is not of the main module, the globals that it refers to, and `modules`, which are imported since they are named.
    """
    versions = None
    if names is None:
        # The last one is for imports relative to it.
        used = {name: function.__globals__.get(name, MISSING) for name in (*names_of_globals(function.__code__), "__package__")}
        versions = {name: version(name, value, digests) for name, value in used.items()}
        names = {name: value for name, value in used.items() if value is not MISSING}
        modules = _parts(function, names)
    state = attributes, slots, names, versions, modules
    arguments = marshal.dumps(function.__code__), namespace, function.__closure__
    return _rebuild.function, arguments, state, None, None, _rebuild.set_state


def reduce_cell(cell):
    try:
        return _rebuild.cell, (), (cell.cell_contents,), None, None, _rebuild.set_cell
    except ValueError:  # it is not set yet
        return _rebuild.cell, ()


def reduce_cached(function):
    """Of `functools.lru_cache`, which pickles it by its name. It begins with an empty cache there."""
    # `__wrapped__` may be another function's.
    (called,) = {id(found): found for found in gc.get_referents(function)
                 if callable(found) and not isinstance(found, type)}.values()
    return _rebuild.cached, (called, function.cache_parameters()), dict(function.__dict__)


def _parts(function, names):
    """The modules of packages that the function names as attributes: who imports a package need not have these."""
    parts, known = [], set(names_in(function.__code__))
    for value in [*names.values(), *_cells(function)]:
        if issubclass(type(value), ModuleType) and hasattr(value, "__path__"):
            prefix = f"{value.__name__}."
            parts += [
                module for name, module in list(sys.modules.items())
                if module is not None and name.startswith(prefix) and known.issuperset(name[len(prefix):].split("."))]
    return parts


def _cells(function):
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            pass  # it is not set yet
