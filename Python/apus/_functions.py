"""Functions as bytes, and what they refer to."""

from types import FunctionType

from . import _codec
from .errors import EncodingError


def dump_function(function):
    """Pickles what a worker is to call."""
    try:
        return _codec.dumps(function)
    except Exception as error:
        raise EncodingError(f"the function {function!r} can't be pickled: {type(error).__name__}: {error}") from error


def is_by_value(function):
    """Whether it is a plain function that travels by value."""
    return type(function) is FunctionType and _codec.is_by_value(function)


# What a name stands for that stands for nothing yet: a global, or a variable of an outer function.
MISSING = object()


def bindings(function):
    """What a function that travels by value refers to by name: triples of a namespace, a name and what it is there, if anything.

    Through other such functions, too. Not the function itself, which would keep itself.
    """
    root = function
    found, seen, left = [], {id(function)}, [function]
    while left:
        function = left.pop()
        names, values = function.__globals__, []
        for name in names_in(function.__code__):
            value = names.get(name, MISSING)
            if value is not root:
                found.append((names, name, value))
                values.append(value)
        for cell in function.__closure__ or ():
            value = _Cell(cell).get(None, MISSING)
            if value is root:
                continue
            found.append((_Cell(cell), None, value))
            values.append(value)
        for value in values:
            if is_by_value(value) and id(value) not in seen:
                seen.add(id(value))
                left.append(value)
    return found


def names_in(code):
    """Which names its code, and the code in it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from names_in(constant)


class _Cell:
    """A variable of an outer function, looked up as in a namespace."""

    __slots__ = ("cell",)

    def __init__(self, cell):
        self.cell = cell

    def get(self, _, default=None):
        try:
            return self.cell.cell_contents
        except ValueError:
            return default
