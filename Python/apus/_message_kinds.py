"""What messages are: an object as bytes and a word that says what they are, and back.

The word has the kind in its lowest byte. An array of a usual type has the rest of its description there as well, so that nothing
stands before or behind its elements: what is sent is its memory, and what is received is memory of a new array.
"""

import pickle
import struct
import sys

from .errors import NotEncodable

PICKLE, BYTES, TEXT, ARRAY, BYTEARRAY, DESCRIBED = range(1, 7)

# The usual types of elements, as `numpy.dtype.char` has them. `_fast_messages.c` has the same list.
CHARS = "?bBhHiIlLqQefdgFDG"
_CODES = {char: code for code, char in enumerate(CHARS)}
_CODE_SHIFT, _FORTRAN_SHIFT, _DIMENSIONS_SHIFT, _SHAPE_SHIFT, _SHAPE_BITS = 8, 13, 14, 18, 46
# The kind, and the type of elements.
TYPE_MASK = (1 << _FORTRAN_SHIFT) - 1
# The length of a description, in front of it. Behind it, up to a multiple of so many bytes, are the elements.
_LENGTH, _ALIGNMENT = struct.Struct("<Q"), 64


def encode(value):
    """(kind, bytes) of an object; the bytes are anything with contiguous memory."""
    kind = type(value)
    if kind is bytes:
        return BYTES, value
    if kind is str:
        try:
            return TEXT, value.encode()
        except UnicodeEncodeError:
            pass
    elif kind is bytearray:
        return BYTEARRAY, value
    else:
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is getattr(numpy, "ndarray", None) and not value.dtype.hasobject:
            return _encode_array(value, numpy)
    return PICKLE, dumps(value)


def dumps(value):
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as problem:
        # A lambda, a function within a function: by value.
        import cloudpickle

        try:
            return cloudpickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except Exception:
            raise NotEncodable(f"{type(value).__name__} can't be pickled, so nothing was sent: {problem}") from problem


def array_kind(array):
    """The word for an array; None if it has too much to say."""
    code = _CODES.get(array.dtype.char) if array.dtype.isnative and array.dtype.names is None else None
    dimensions = array.ndim
    if code is None or dimensions > 15:
        return None
    word = ARRAY | code << _CODE_SHIFT | dimensions << _DIMENSIONS_SHIFT
    if dimensions < 2:
        return word
    if not array.flags.c_contiguous:
        word |= 1 << _FORTRAN_SHIFT
    bits = _SHAPE_BITS // (dimensions - 1)
    if 0 in array.shape or any(length >> bits for length in array.shape[:-1]):
        return None
    for index, length in enumerate(array.shape[:-1]):
        word |= length << (_SHAPE_SHIFT + index * bits)
    return word


def contiguous(array, numpy):
    return array if array.flags.forc else numpy.ascontiguousarray(array)


def memory(array):
    """The memory of a contiguous array as bytes: as they lie there."""
    flat = array.reshape(-1, order="A")
    return flat.view("u1") if flat.size and flat.itemsize else b""


def _encode_array(array, numpy):
    array = contiguous(array, numpy)
    word = array_kind(array)
    if word is not None:
        return word, memory(array)
    order = "C" if array.flags.c_contiguous else "F"
    description = pickle.dumps((array.dtype, array.shape, order), pickle.HIGHEST_PROTOCOL)
    front = _LENGTH.pack(len(description)) + description
    front += bytes(-len(front) % _ALIGNMENT)
    return DESCRIBED, front + bytes(memory(array))


def layout(word, count, numpy):
    """The arguments of `numpy.empty` for an array that comes."""
    dtype = numpy.dtype(CHARS[word >> _CODE_SHIFT & 31])
    dimensions = word >> _DIMENSIONS_SHIFT & 15
    rest, shape = count // dtype.itemsize, []
    bits = _SHAPE_BITS // (dimensions - 1) if dimensions > 1 else 0
    for index in range(dimensions - 1):
        shape.append(word >> (_SHAPE_SHIFT + index * bits) & ((1 << bits) - 1))
        rest //= shape[-1]
    if dimensions:
        shape.append(rest)
    return tuple(shape), dtype, "F" if word >> _FORTRAN_SHIFT & 1 else "C"


def decode(word, data):
    """The object that was sent, of bytes that nobody else has."""
    kind = word & 255
    if kind == PICKLE:
        return pickle.loads(data)
    if kind == BYTES:
        return bytes(data)
    if kind == TEXT:
        return str(data, "utf-8")
    if kind == BYTEARRAY:
        return bytearray(data) if type(data) is not bytearray else data
    if kind == ARRAY:
        import numpy

        shape, dtype, order = layout(word, len(data), numpy)
        return numpy.ndarray(shape, dtype, data, order=order)
    if kind == DESCRIBED:
        import numpy

        length = _LENGTH.unpack_from(data)[0]
        dtype, shape, order = pickle.loads(memoryview(data)[_LENGTH.size:_LENGTH.size + length])
        offset = -(-(_LENGTH.size + length) // _ALIGNMENT) * _ALIGNMENT
        return numpy.ndarray(shape, dtype, data, offset, order=order)
    from .errors import TypeMismatch

    raise TypeMismatch("a message came that no Python program has sent, and is gone")
