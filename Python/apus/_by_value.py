"""Functions of the main module by value, with one namespace for all of them in each worker.

What one function sets another one sees, as in the main module itself. A global that the program has not changed since it was last
sent does not overwrite what a worker has made of it.

Plain functions need no more than this module. Where one refers to a class of the main module, say, cloudpickle pickles it
(`_by_cloudpickle.py`), whose import takes as long as to start a worker.
"""

import marshal
import sys
import threading
from io import BytesIO
from types import CellType, FunctionType, ModuleType

from . import _frames, _rebuild
from ._codec import PROTOCOL, Cached, is_by_value
from ._functions import names_in
from ._pickling import pickle

try:
    from _blake2 import blake2b  # `hashlib` loads OpenSSL as well, which takes longer than the rest of this module
except ImportError:
    from hashlib import blake2b

_state = threading.local()


class _NotPlain(Exception):
    """It is left to cloudpickle."""


def is_of_main(function):
    return function.__globals__.get("__name__") == "__main__"


def dumps(obj, buffers=None):
    """Pickles an object that may refer to what travels by value; see `dumps` of `_codec.py`."""
    return _dump(BytesIO, obj, buffers).getvalue()


def _dump(new_file, obj, buffers=None):
    callback = None if buffers is None else _frames.keeper(buffers)
    file = new_file()
    try:
        _Pickler(file, PROTOCOL, buffer_callback=callback).dump(obj)
    except Exception:
        # Cloudpickle knows of more than this, and raises what is to be told.
        from . import _by_cloudpickle

        if buffers:
            buffers.clear()
        file = new_file()
        _by_cloudpickle.Pickler(file, PROTOCOL, buffer_callback=callback).dump(obj)
    return file


class MainGlobals(dict):
    """Stands for the globals of the main module."""

    def __reduce__(self):
        return _rebuild.main_globals, ()


class _Pickler(pickle.Pickler):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.globals = MainGlobals()

    def reducer_override(self, obj):
        if isinstance(obj, FunctionType):
            return self._reduce_function(obj) if is_by_value(obj) else NotImplemented
        if isinstance(obj, type):
            if is_by_value(obj):
                raise _NotPlain
        elif isinstance(obj, Cached):
            return reduce_cached(obj) if is_by_value(obj) else NotImplemented
        elif type(obj) is CellType:
            return reduce_cell(obj)
        elif type(obj) is ModuleType:
            if obj.__name__ not in sys.modules or obj.__name__ == "__main__":
                raise _NotPlain
            return _rebuild.module, (obj.__name__,)
        return NotImplemented

    def _reduce_function(self, function):
        if not is_of_main(function) or _global_names is None:
            raise _NotPlain
        attributes = {name: getattr(function, name) for name in _ATTRIBUTES}
        found = {name: function.__globals__[name] for name in _global_names(function.__code__)
                 if name in function.__globals__}
        return reduced(function, self.globals, dict(function.__dict__), attributes, found, _parts(function, found))


_ATTRIBUTES = ("__name__", "__qualname__", "__annotations__", "__kwdefaults__", "__defaults__", "__module__", "__doc__")


def reduced(function, namespace, attributes, slots, names, modules=()):
    """How a function is pickled. `names` are the globals that it refers to; `modules` are imported, since they are named."""
    versions = {name: _version(value) for name, value in names.items()} if is_of_main(function) else None
    closure = function.__closure__
    state = attributes, slots, names, closure, versions, modules
    return (_rebuild.function, (marshal.dumps(function.__code__), namespace, len(closure or ())), state, None, None,
            _rebuild.set_state)


def _parts(function, found):
    """The modules of packages that the function names as attributes: who imports a package need not have these."""
    parts, known = [], set(names_in(function.__code__))
    for value in [*found.values(), *_cells(function)]:
        if isinstance(value, ModuleType) and hasattr(value, "__path__"):
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


def reduce_cached(function):
    """Of `functools.lru_cache`, which pickles it by its name. It begins with an empty cache there."""
    return _rebuild.cached, (function.__wrapped__, function.cache_parameters())


def reduce_cell(cell):
    try:
        return _rebuild.cell, (cell.cell_contents,)
    except ValueError:
        return _rebuild.cell, ()


def _global_names(code):
    """The names of globals that its code, and the code in it, reads or sets; in their order, each once."""
    found, wide = {}, 0
    instructions = code.co_code
    for place in range(0, len(instructions), 2):
        operation, argument = instructions[place], instructions[place + 1] | wide
        wide = argument << 8 if operation == EXTENDED_ARG else 0
        if operation == _LOAD_GLOBAL:
            found[code.co_names[argument >> _LOAD_SHIFT]] = None
        elif operation in _OTHER_GLOBAL:
            found[code.co_names[argument]] = None
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            found.update(dict.fromkeys(_global_names(constant)))
    return found


if sys.implementation.name == "cpython":
    from opcode import EXTENDED_ARG, opmap

    _LOAD_GLOBAL = opmap["LOAD_GLOBAL"]
    _OTHER_GLOBAL = opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]
    # Its lowest bit says whether it is called.
    _LOAD_SHIFT = 1 if sys.version_info >= (3, 11) else 0
else:
    _global_names = None


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
    _state.is_busy = True
    try:
        return _dump(_Digest, value).hash.digest()
    except Exception:
        return None  # whoever pickles it finds out
    finally:
        _state.is_busy = False
