"""The operators of reductions."""

import operator


class Operator:
    """A standard operator, for whatever Python's or NumPy's one takes.

    Any function of two values is an operator as well: it gets that of lower ranks first, and must be associative.
    """

    __slots__ = ("name", "number", "_of_values", "_of_arrays", "chars")

    def __init__(self, name, number, of_values, of_arrays, chars):
        self.name, self.number = name, number
        self._of_values, self._of_arrays = of_values, of_arrays
        # Arrays of which types the library combines by itself.
        self.chars = chars

    def __call__(self, left, right):
        if hasattr(left, "__array_interface__") or hasattr(right, "__array_interface__"):
            import numpy

            return getattr(numpy, self._of_arrays)(left, right)
        return self._of_values(left, right)

    def __repr__(self):
        return f"apus.mpi.{self.name}"

    def __reduce__(self):
        return self.name


_INTEGERS, _FLOATS = "bBhHiIlLqQ", "fd"

SUM = Operator("SUM", 0, operator.add, "add", _INTEGERS + _FLOATS)
PRODUCT = Operator("PRODUCT", 1, operator.mul, "multiply", _INTEGERS + _FLOATS)
MIN = Operator("MIN", 2, lambda a, b: b if b < a else a, "minimum", "?" + _INTEGERS + _FLOATS)
MAX = Operator("MAX", 3, lambda a, b: b if b > a else a, "maximum", "?" + _INTEGERS + _FLOATS)
LOGICAL_AND = Operator("LOGICAL_AND", 4, lambda a, b: bool(a) and bool(b), "logical_and", "?")
LOGICAL_OR = Operator("LOGICAL_OR", 5, lambda a, b: bool(a) or bool(b), "logical_or", "?")
LOGICAL_XOR = Operator("LOGICAL_XOR", 6, lambda a, b: bool(a) != bool(b), "logical_xor", "?")
BITWISE_AND = Operator("BITWISE_AND", 7, operator.and_, "bitwise_and", "?" + _INTEGERS)
BITWISE_OR = Operator("BITWISE_OR", 8, operator.or_, "bitwise_or", "?" + _INTEGERS)
BITWISE_XOR = Operator("BITWISE_XOR", 9, operator.xor, "bitwise_xor", "?" + _INTEGERS)

# The library's name for a type of elements, by `numpy.dtype.kind` and size.
ELEMENTS = {
    name: number for number, name in enumerate(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"))
}
