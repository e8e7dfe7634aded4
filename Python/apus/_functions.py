"""Functions as bytes, and what they refer to."""

import functools
import weakref
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

from . import _codec
from ._names import names_in
from ._plain import ATOMS
from ._versions import MISSING, number_of, recognizer
from .errors import EncodingError


def dump_function(function):
    """Pickles what a worker is to call."""
    try:
        return _codec.dumps(function)
    except Exception as error:
        raise EncodingError(f"the function {function!r} can't be pickled: {type(error).__name__}: {error}") from error


def is_function_by_value(function):
    """Whether it is a plain function that travels by value."""
    # PyPy's builtin functions have no such code.
    return type(function) is FunctionType and type(function.__code__) is CodeType and _codec.is_by_value(function)


def is_stateless(function):
    """Whether it is what a module has under its name, or that with arguments that can't change."""
    if type(function) is functools.partial:
        return is_stateless(function.func) and ATOMS.issuperset(map(type, (*function.args, *function.keywords.values())))
    if type(function) is BuiltinFunctionType:
        return isinstance(function.__self__, ModuleType)
    return isinstance(function, (FunctionType, type)) and not _codec.is_by_value(function)


class Binding:
    """What a name in a namespace stood for."""

    __slots__ = ("names", "name", "is_it", "number")

    def __init__(self, names, name, value):
        self.names, self.name, self.is_it, self.number = names, name, recognizer(value), None

    def was_sent(self):
        """Workers have this, until the global is sent as another."""
        self.number = number_of(self.name)

    def holds(self):
        return self.is_it(self.names.get(self.name, MISSING)) and self.number == number_of(self.name)


def bindings(function):
    """The names by which a function refers to others that travel by value, or they to others, and to whatever else.

    Not what is inside of lists, dictionaries and other objects.
    """
    found, seen, left = [], {id(function)}, [function]
    while left:
        holder = left.pop()
        for names, name, value in _references(holder):
            if names is not None:
                found.append(Binding(names, name, value))
            if id(value) not in seen:
                seen.add(id(value))
                left.append(value)
    return found


def _references(holder):
    """Triples of a namespace, a name and what it is there. No namespace: it can't be bound anew."""
    # Not by `isinstance`, which asks a proxy for what it stands for, and may get an error.
    kind = type(holder)
    if is_function_by_value(holder):
        for name in names_in(holder.__code__):
            yield holder.__globals__, name, holder.__globals__.get(name, MISSING)
        inside = _Inside(holder)
        for name in (*range(len(holder.__closure__ or ())), "__code__", "__defaults__", "__kwdefaults__"):
            yield inside, name, inside.get(name, MISSING)
        for value in (*(holder.__defaults__ or ()), *(holder.__kwdefaults__ or {}).values()):
            yield None, None, value
    elif issubclass(kind, type):
        if _codec.is_by_value(holder):
            for name, value in list(vars(holder).items()):
                if name not in ("__dict__", "__weakref__", "__doc__", "__module__"):
                    yield vars(holder), name, value
            for base in holder.__bases__:
                yield None, None, base
    elif issubclass(kind, functools.partial):
        for value in (holder.func, *holder.args, *holder.keywords.values()):
            yield None, None, value
    elif kind is MethodType:
        yield None, None, holder.__func__
        yield None, None, holder.__self__
    elif issubclass(kind, (staticmethod, classmethod)):
        yield None, None, holder.__func__
    elif issubclass(kind, _codec.Cached):
        yield None, None, getattr(holder, "__wrapped__", None)
    elif issubclass(kind, property):
        for value in (holder.fget, holder.fset, holder.fdel):
            yield None, None, value
    elif kind.__module__ == "__main__":
        yield None, None, kind


class _Inside:
    """What a function has, looked up as in a namespace: attributes, and by number variables of outer functions. It is not kept."""

    __slots__ = ("function",)

    def __init__(self, function):
        self.function = weakref.ref(function)

    def get(self, name, default=None):
        function = self.function()
        if isinstance(name, str):
            return getattr(function, name, default)
        try:
            return default if function is None else function.__closure__[name].cell_contents
        except ValueError:
            return default
