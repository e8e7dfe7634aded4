"""What all ranks of a communicator do together, each calling the same operations in the same order."""

import copy
import ctypes
import functools
import itertools
import struct
import sys
import zlib

from . import _message_kinds as kinds
from . import _messages as native
from ._operators import ELEMENTS, SUM, Operator
from .errors import CollectiveFailed, InvalidArgument

# Kinds of values that only collective operations send: why a rank has none, and of an array that follows.
_NONE, _FOLLOWS = 7, 8
_DESCRIPTION, _RANK = struct.Struct("<QQ"), struct.Struct("<q")
# Longer arrays are not put together with their description.
_LONG = 32 << 10
_ALL_REDUCE, _REDUCE, _SCAN, _EXCLUSIVE_SCAN, _REDUCE_SCATTER = range(5)


class Collectives:
    """The collective operations of a communicator."""

    def barrier(self):
        """Returns once every rank has called it."""
        native.call(native._barrier, self._pointer)

    def broadcast(self, value=None, root=0):
        """Gives the root's object to every rank. The `value` of the others is not looked at."""
        if self.rank != root:
            (kind, place), = self._collect(native._broadcast, None, root)
            if kind == _FOLLOWS:
                return self._receive_following(place, root)
            return _opened(kind, place, root)
        out, problem = _value(value)
        if problem is None and out.value.kind & 255 == kinds.ARRAY and out.value.count > _LONG:
            self._send_following(out, root)
        else:
            self._collect(native._broadcast, ctypes.byref(out.value), root)
        if problem is not None:
            raise problem
        return value

    def _send_following(self, out, root):
        description = _DESCRIPTION.pack(out.value.kind, out.value.count)
        front = native.Value(*native.extent(description), _FOLLOWS)
        self._collect(native._broadcast, ctypes.byref(front), root)
        native.call(native._broadcast_memory, self._pointer, out.value.bytes, out.value.count, root)

    def _receive_following(self, description, root):
        import numpy

        kind, count = _DESCRIPTION.unpack(description)
        array = numpy.empty(*kinds.layout(kind, count, numpy))
        native.call(native._broadcast_memory, self._pointer, native.memory_of(array), count, root)
        return array

    def scatter(self, values=None, root=0):
        """Gives each rank one of the root's objects, in rank order. The `values` of the others are not looked at."""
        array, problem, kept = None, None, None
        if self.rank == root:
            problem, values = self._one_each(values)
            array, kept, problem = _values(values, problem)
        return self._one(native._scatter, array, root, root, problem)

    def gather(self, value, root=0):
        """Collects the objects of all ranks on the root: a list, in rank order. None on the others."""
        out, problem = _value(value)
        found = self._collect(native._gather, ctypes.byref(out.value), root)
        if problem is not None:
            raise problem
        return _all_opened(found) if self.rank == root else None

    def allgather(self, value):
        """Gives every rank the objects of all ranks: a list, in rank order."""
        out, problem = _value(value)
        found = self._collect(native._allgather, ctypes.byref(out.value))
        if problem is not None:
            raise problem
        return _all_opened(found)

    def alltoall(self, values):
        """Sends `values[r]` to rank r, and returns what each rank has sent here: a list, in rank order."""
        problem, values = self._one_each(values)
        array, kept, problem = _values(values, problem)
        found = self._collect(native._alltoall, array)
        if problem is not None:
            raise problem
        return _all_opened(found)

    # Reductions

    def reduce(self, value, op=SUM, root=0):
        """Combines the values of all ranks, arrays element by element, in rank order, on the root; None on the others."""
        if _is_native(value, op):
            elements = _in_order(value)
            result = _like(elements) if self.rank == root else None
            self._reduce(_REDUCE, elements, result, op, root)
            return result
        self._agree_on_objects(_REDUCE, value, op, root)
        values = self.gather(value, root)
        return functools.reduce(op, values) if self.rank == root else None

    def allreduce(self, value, op=SUM):
        """Combines the values of all ranks, arrays element by element, in rank order, and gives every rank the result."""
        if _is_native(value, op):
            elements = _in_order(value)
            result = _like(elements)
            self._reduce(_ALL_REDUCE, elements, result, op)
            return result
        return self._combine(_ALL_REDUCE, value, op, lambda values: functools.reduce(op, values), self.broadcast)

    def scan(self, value, op=SUM):
        """Combines, for each rank, the values of all ranks up to and including it. Arrays element by element."""
        if _is_native(value, op):
            result = _copy(value)
            self._reduce(_SCAN, result, result, op)
            return result
        return self._combine(_SCAN, value, op, lambda values: list(_accumulated(values, op)), self._scatter_made)

    def exscan(self, value, op=SUM):
        """Combines, for each rank, the values of all ranks before it; None on rank 0. Arrays element by element."""
        if _is_native(value, op):
            result = _copy(value)
            self._reduce(_EXCLUSIVE_SCAN, result, result, op)
            return result if self.rank else None
        return self._combine(
            _EXCLUSIVE_SCAN, value, op, lambda values: [None, *_accumulated(values[:-1], op)], self._scatter_made)

    def reduce_scatter(self, values, op=SUM, counts=None):
        """Combines what all ranks have for each rank, and gives it to that one.

        `values`: a sequence with one value for each rank; or an array, which is combined element by element and divided
        along its first axis. `counts`: into how many each; equal shares if None, the first ranks having one more where
        it does not come out even.
        """
        if hasattr(values, "__array_interface__") and not isinstance(values, (list, tuple)):
            return self._reduce_scatter_array(values, op, counts)
        if counts is not None:
            raise InvalidArgument("`counts` is for arrays")
        problem, values = self._one_each(values)
        if problem is not None:
            values = _Failed(problem)
        return self._combine(
            _REDUCE_SCATTER, values, op, lambda all: [functools.reduce(op, mine) for mine in zip(*all)], self._scatter_made)

    def _reduce_scatter_array(self, array, op, counts):
        if not array.ndim:
            raise InvalidArgument("an array without axes can't be divided")
        length = len(array)
        if counts is None:
            counts = [length // self.size + (rank < length % self.size) for rank in range(self.size)]
        if len(counts) != self.size or sum(counts) != length or min(counts) < 0:
            raise InvalidArgument(
                f"the counts {counts} are not one for each of {self.size} ranks that add up to {length}")
        if not _is_native(array, op):
            starts = [sum(counts[:rank]) for rank in range(self.size)]
            return self.reduce_scatter([array[start:start + count] for start, count in zip(starts, counts)], op)
        import numpy

        elements = _in_order(array)
        row = elements.nbytes // length if length else 0
        lengths = (ctypes.c_int64 * self.size)(*(count * row for count in counts))
        result = numpy.empty((counts[self.rank], *elements.shape[1:]), elements.dtype)
        native.call(
            native._reduce_scatter, self._pointer, native.memory_of(elements), lengths, native.memory_of(result),
            hash(elements.shape), _element(elements), op.number)
        return result

    def _reduce(self, which, elements, result, op, root=0):
        native.call(
            native._reduction, self._pointer, which, native.memory_of(elements),
            None if result is None else native.memory_of(result), elements.nbytes, hash(elements.shape), _element(elements),
            op.number, root)

    def _agree_on_objects(self, which, value, op, root=0):
        """For objects other operations are called than for arrays: without this, ranks that disagree would wait for each other."""
        if not callable(op):
            raise TypeError(f"op must be an operator, such as SUM, or a function of two values, not {op!r}; a root is `root=`")
        # The hash of ints is the same in all processes.
        number, shape, numpy = -1, 0, sys.modules.get("numpy")
        if isinstance(op, Operator):
            number = op.number
            if numpy is not None and isinstance(value, numpy.ndarray):
                shape = hash((value.shape, zlib.crc32(value.dtype.newbyteorder("=").str.encode())))
        native.call(native._agree_on_objects, self._pointer, which, shape, number, root)

    def _combine(self, which, value, op, combine, give):
        """Has rank 0 combine the values of all ranks, and give them the result; or that there is none, so that all are told."""
        self._agree_on_objects(which, value, op)
        out, problem = _value(value)
        found = self._collect(native._gather, ctypes.byref(out.value), 0)
        made = _attempt(lambda: combine(_all_opened(found))) if self.rank == 0 else None
        try:
            return give(made)
        except CollectiveFailed:
            # This rank knows better why.
            raise problem or sys.exc_info()[1]

    def _scatter_made(self, made):
        return self.scatter([made] * self.size if isinstance(made, _Failed) else made)

    # Objects in and out

    def _one_each(self, values):
        """What is wrong with values that should be one for each rank, and a list of as many."""
        try:
            values = list(values)
        except Exception as error:
            problem = error
        else:
            if len(values) == self.size:
                return None, values
            problem = InvalidArgument(f"there must be a value for each of {self.size} ranks, not {len(values)}")
        return problem, [_Failed(problem)] * self.size

    def _collect(self, function, *arguments):
        """(kind, place) of all that comes."""
        incoming = native.Incoming()
        native.take(incoming, function, self._pointer, *arguments, incoming.callback, None)
        return [(kind, place) for (kind, _), place in zip(incoming.messages, incoming.places)]

    def _one(self, function, values, root, source, problem):
        (kind, place), = self._collect(function, values, root)
        if problem is not None:
            raise problem
        return _opened(kind, place, source)


class _Failed:
    """In place of a value: why there is none."""

    def __init__(self, problem):
        self.problem = problem


def _attempt(body):
    try:
        return body()
    except Exception as problem:
        return _Failed(problem)


def _value(item):
    """A value on its way, and why it is none."""
    try:
        if isinstance(item, _Failed):
            raise item.problem
        return native.Outgoing(item), None
    except Exception as problem:
        return _NoValue(problem), problem


def _values(items, problem):
    """An array of values, what keeps their bytes, and what is wrong with one of them."""
    kept = []
    for item in items:
        out, wrong = _value(item)
        problem = problem or wrong
        kept.append(out)
    return (native.Value * len(kept))(*(out.value for out in kept)), kept, problem


class _NoValue:
    """Why there is no value, and whose fault that is: -1 stands for the sender's."""

    def __init__(self, problem):
        is_told = isinstance(problem, CollectiveFailed)
        text = str(problem) if is_told else f"{type(problem).__name__}: {problem}"
        self.owner = _RANK.pack(problem.rank if is_told else -1) + text.encode("utf-8", "replace")[:2000]
        self.value = native.Value(*native.extent(self.owner), _NONE)


def _opened(kind, place, source):
    if kind == _NONE:
        origin, text = _RANK.unpack_from(place)[0], bytes(place[_RANK.size:]).decode("utf-8", "replace")
        if origin < 0:
            origin, text = source, f"rank {source} gave the collective operation up: {text}"
        raise CollectiveFailed(text, origin)
    return place if kind & 255 == kinds.ARRAY else kinds.decode(kind, place)


def _all_opened(found):
    return [_opened(kind, place, source) for source, (kind, place) in enumerate(found)]


# Arrays that the library combines by itself


def _is_native(value, op):
    """By what all ranks know: the type of elements, and the operator."""
    numpy = sys.modules.get("numpy")
    return (
        numpy is not None and type(value) is numpy.ndarray and isinstance(op, Operator) and value.dtype.char in op.chars
        and value.dtype.names is None)


def _accumulated(values, op):
    """The results up to each value. Copies: a function may change what it is given."""
    return map(copy.deepcopy, itertools.accumulate(values, op))


def _in_order(array):
    """The array as all ranks have it: its elements in the order of C, and of this machine."""
    flags = array.flags
    if flags.c_contiguous and flags.aligned and array.dtype.isnative:
        return array
    return _copy(array)


def _copy(array):
    return array.astype(array.dtype.newbyteorder("="), order="C", copy=True)


def _like(array):
    import numpy

    return numpy.empty(array.shape, array.dtype)


def _element(array):
    return ELEMENTS[f"{array.dtype.kind}{array.dtype.itemsize}"]
