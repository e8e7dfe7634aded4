"""What `_by_value.py` leaves to cloudpickle: classes of the main module, functions of modules that can't be imported, packages."""

from collections import ChainMap
from types import CellType, ModuleType

import cloudpickle
from cloudpickle.cloudpickle import _module_reduce, subimport

from . import _rebuild
from ._by_value import MainGlobals, is_of_main, reduce_cached, reduce_cell, reduced
from ._codec import Cached, is_by_value


def _reduce_module(module):
    reduced = _module_reduce(module)
    return (_rebuild.module, reduced[1]) if reduced[0] is subimport else reduced


class Pickler(cloudpickle.Pickler):
    """Functions, cells and modules are made again without cloudpickle."""

    dispatch_table = ChainMap(
        {CellType: reduce_cell, ModuleType: _reduce_module}, cloudpickle.Pickler.dispatch_table)

    def reducer_override(self, obj):
        if isinstance(obj, Cached) and is_by_value(obj):
            return reduce_cached(obj)
        return super().reducer_override(obj)

    def _dynamic_function_reduce(self, func):
        if is_of_main(func):
            self.globals_ref.setdefault(id(func.__globals__), MainGlobals())
        _, (_, namespace, *_), (attributes, slots), *_ = super()._dynamic_function_reduce(func)
        del slots["__closure__"]
        names, modules = slots.pop("__globals__"), slots.pop("_cloudpickle_submodules", ())
        return reduced(func, namespace, attributes, slots, names, modules)
