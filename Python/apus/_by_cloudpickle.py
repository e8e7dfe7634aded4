"""What `_by_value.py` leaves to cloudpickle: classes of the main module, and functions of modules that can't be imported."""

from collections import ChainMap
from functools import cached_property
from types import CellType, FunctionType, ModuleType

import cloudpickle
from cloudpickle.cloudpickle import _class_setstate, _make_skeleton_class, _module_reduce, subimport

from . import _rebuild
from ._by_value import MainGlobals, reduce_cached, reduce_cell, reduced
from ._codec import Cached, is_by_value
from ._main_namespace import is_of_main


def _reduce_module(module):
    reduced = _module_reduce(module)
    return (_rebuild.module, reduced[1]) if reduced[0] is subimport else reduced


def _reduce_cached_property(found):
    # It has a lock before 3.12.
    return _rebuild.cached_property, (found.func, found.attrname)


def _class_made_once(make, arguments, *others):
    """How a class is pickled; anything else as it is."""
    if others and others[-1] is _class_setstate:
        if make is _make_skeleton_class and "__slots__" in others[0][0]:
            arguments[3]["__slots__"] = others[0][0]["__slots__"]  # or its objects would have more than those
        return (_rebuild.class_, (make, *arguments), *others[:-1], _rebuild.set_class_state)
    return (make, arguments, *others)


class Pickler(cloudpickle.Pickler):
    """Functions, cells and modules are made again without cloudpickle, and classes once."""

    dispatch_table = ChainMap(
        {CellType: reduce_cell, ModuleType: _reduce_module, cached_property: _reduce_cached_property},
        cloudpickle.Pickler.dispatch_table)

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.digests = {}

    if hasattr(cloudpickle.Pickler, "reducer_override"):

        def reducer_override(self, obj):
            if issubclass(type(obj), Cached) and is_by_value(obj):
                return reduce_cached(obj)
            if isinstance(obj, FunctionType) and type(obj) is not FunctionType:
                return NotImplemented  # it only looks like one
            found = super().reducer_override(obj)
            return _class_made_once(*found) if type(found) is tuple else found

    else:  # PyPy's

        def _save_reduce_pickle5(self, *reduced, obj=None, **more):
            return super()._save_reduce_pickle5(*_class_made_once(*reduced), obj=obj, **more)

    def _dynamic_function_reduce(self, func):
        is_main = is_of_main(func)
        if is_main:
            self.globals_ref.setdefault(id(func.__globals__), MainGlobals())
        _, (_, namespace, *_), (attributes, slots), *_ = super()._dynamic_function_reduce(func)
        del slots["__closure__"]
        names, modules = slots.pop("__globals__"), slots.pop("_cloudpickle_submodules", ())
        return reduced(func, namespace, attributes, slots, self.digests, None if is_main else names, modules)
