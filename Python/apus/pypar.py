"""PyPar's interface, for Python 3 and on Apus's messages: programs that were written for PyPar run with

    from apus import pypar

The ranks are there when this is imported. Started alone a program is a world of one rank; `apus launch -n 4 python3
program.py`, or the launcher of an MPI library, starts several. See `docs/pypar.md` for what differs from PyPar.
"""

from __future__ import annotations

import collections as _collections
import time as _time
from typing import Any

from . import mpi as _mpi
from ._requests import wait_all as _wait_all
from .errors import Finalized as _Finalized
from .errors import InvalidArgument as _InvalidArgument
from .errors import TypeMismatch as _TypeMismatch

any_source = any_tag = _mpi.ANY
max_tag = _mpi.LARGEST_TAG
default_tag = 1
control_tag = 13849

MAX, MIN, SUM, PROD, LAND, BAND, LOR, BOR, LXOR, BXOR = range(1, 11)
_operators = dict(enumerate((
    _mpi.MAX, _mpi.MIN, _mpi.SUM, _mpi.PRODUCT, _mpi.LOGICAL_AND, _mpi.BITWISE_AND, _mpi.LOGICAL_OR, _mpi.BITWISE_OR,
    _mpi.LOGICAL_XOR, _mpi.BITWISE_XOR), 1))

_world = _mpi.world()
_rank, _size = _world.rank, _world.size
_is_finalized = False
# Buffered sends under way.
_buffered: _collections.deque[_mpi.Request] = _collections.deque()
_pushed = 0


class Status:
    """What is known of a message: `source`, `tag`, `error`, and its `length` in elements of `size` bytes."""

    def __init__(self, status_tuple: tuple[int, int, int, int, int]) -> None:
        self.source, self.tag, self.error, self.length, self.size = status_tuple

    def __repr__(self) -> str:
        return f"Pypar Status Object:\n  source={self.source}\n  tag={self.tag}\n  error={self.error}\n" \
               f"  length={self.length}\n  size={self.size}\n"

    def bytes(self) -> int:
        """The length in bytes."""
        return self.length * self.size


# Ranks


def size() -> int:
    """How many ranks there are."""
    return _size


def rank() -> int:
    """This process's number."""
    return _rank


def get_processor_name() -> str:
    """The name of the machine that this rank runs on."""
    return _world.node


def time() -> float:
    """Seconds since some moment in the past."""
    return _time.monotonic()


def init(argv: Any = None) -> None:
    """Nothing is left to do: the import has joined the ranks."""


def initialized() -> bool:
    """Whether messages can be sent."""
    return not _is_finalized


def finalize() -> None:
    """Ends this rank's part; so does the end of the program."""
    global _is_finalized
    try:
        detach()
    finally:
        _is_finalized = True


def abort() -> None:
    """Ends the whole job."""
    _world.abort(1)


def barrier() -> None:
    """Returns once every rank has called it."""
    _ranks().barrier()


def _ranks() -> _mpi.Communicator:
    if _is_finalized:
        raise _Finalized("finalize() was called: there are no messages any more")
    return _world


# Messages. All are of one kind, which says itself what it is: `vanilla`, `use_buffer` and `bypass` change nothing.


def send(
    x: Any, destination: int, use_buffer: bool = False, vanilla: bool = False, tag: int = default_tag,
    bypass: bool = False,
) -> None:
    """Sends any object to another rank."""
    if _is_finalized:
        _ranks()
    _world.send(x, destination, tag)


def receive(
    source: int, buffer: Any = None, vanilla: bool = False, tag: int = default_tag, return_status: bool = False,
    bypass: bool = False,
) -> Any:
    """Waits for a message from `source`, -1 for any, and returns it; into `buffer`, if that is an array. With `return_status`
    a pair of that and a `Status`."""
    if _is_finalized:
        _ranks()
    into = buffer if hasattr(buffer, "__array_interface__") else None
    if not return_status:
        return _world.receive(source, tag, into)
    value, status = _world.receive(source, tag, into, True)
    nbytes, element = status.nbytes, 1
    if hasattr(value, "__array_interface__"):
        element = max(1, value.itemsize)
        # What arrays of some types have said of themselves came with them.
        nbytes = nbytes if into is not None else value.nbytes
    return value, Status((status.source, status.tag, 0, nbytes // element, element))


def bsend(
    x: Any, destination: int, use_buffer: bool = False, vanilla: bool = False, tag: int = default_tag,
    bypass: bool = False,
) -> None:
    """Sends without waiting for the receiver: `x` may change at once."""
    _buffered.append(_ranks().isend(x.copy() if hasattr(x, "__array_interface__") else x, destination, tag))
    _forget_sent()


def _forget_sent() -> None:
    """Lets go of the first buffered sends if they are over. Raises what one has ended with, once."""
    while _buffered:
        try:
            if not _buffered[0].test():
                return
        except BaseException:
            _buffered.popleft()
            raise
        _buffered.popleft()


def push_for_alloc(x: Any, vanilla: bool = False, use_buffer: bool = False, bypass: bool = False) -> int:
    """Counts what a `bsend` of `x` takes: no buffer need be set aside. Returns the bytes counted so far."""
    from ._message_kinds import encode

    global _pushed
    data = encode(x)[1]
    _pushed += getattr(data, "nbytes", len(data))
    return _pushed


def alloc(nbytes: int = -1) -> int:
    """Nothing is left to do. Returns the bytes that were counted, or `nbytes`."""
    return _pushed if nbytes < 0 else nbytes


def dealloc() -> None:
    """Begins to count anew."""
    global _pushed
    _pushed = 0


def attach() -> None:
    """Nothing is left to do."""


def detach() -> None:
    """Waits until all that `bsend` has sent is on its way."""
    requests = list(_buffered)
    _buffered.clear()
    _wait_all(requests)


def alloc_and_attach() -> None:
    """Nothing is left to do."""


def detach_and_dealloc() -> None:
    """`detach` and `dealloc`."""
    detach()
    dealloc()


# What all ranks do together


def broadcast(buffer: Any, root: int = 0, vanilla: bool = False, bypass: bool = False) -> Any:
    """Gives the root's `buffer` to every rank: an array in place; all else, strings too, is what is returned."""
    return _filled(buffer, _ranks().broadcast(buffer, root), _rank != root)


def scatter(x: Any, root: int = 0, buffer: Any = None, vanilla: bool = False) -> Any:
    """Divides the root's array (along its first axis), string or list evenly among the ranks."""
    ranks = _ranks()
    parts: Any = None
    if _rank == root:
        if len(x) % _size:
            # By `scatter` itself, so that the other ranks hear of it.
            parts = _NotEven(f"{len(x)} elements can't be divided evenly among {_size} ranks")
        else:
            length = len(x) // _size
            parts = [x[place * length:(place + 1) * length] for place in range(_size)]
    return _filled(buffer, ranks.scatter(parts, root), buffer is not None)


def gather(x: Any, root: int = 0, buffer: Any = None, vanilla: bool = False) -> Any:
    """Joins the arrays (along their first axis), strings or lists of all ranks on the root; on the others `buffer` as it is."""
    parts = _ranks().gather(x, root)
    if parts is None:
        return buffer
    if hasattr(x, "__array_interface__"):
        import numpy

        whole = numpy.concatenate([numpy.atleast_1d(part) for part in parts])
    else:
        whole = parts[0]
        for part in parts[1:]:
            whole = whole + part
    return _filled(buffer, whole, buffer is not None)


def reduce(
    x: Any, op: Any, root: int = 0, buffer: Any = None, vanilla: bool = False, bypass: bool = False
) -> Any:
    """Combines the arrays (element by element) or numbers of all ranks on the root; `buffer` as it is on the others.

    `op`: MAX, MIN, SUM, PROD, LAND, BAND, LOR, BOR, LXOR, BXOR, or a function of two values.
    """
    if op not in _operators and not callable(op):
        raise _InvalidArgument(f"there is no operation {op!r}")
    result = _ranks().reduce(x, _operators.get(op, op), root)
    if _rank != root:
        return buffer
    if hasattr(result, "astype") and hasattr(x, "dtype") and result.dtype != x.dtype and op in _operators:
        result = result.astype(x.dtype)  # of logical operations
    return _filled(buffer, result, buffer is not None)


class _NotEven:
    """In place of the parts: the reason why there are none."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __iter__(self) -> Any:
        raise _InvalidArgument(self.text)


def _filled(buffer: Any, value: Any, is_to_be: bool) -> Any:
    """The buffer with the value in it, if it is an array; else the value."""
    if not is_to_be or not hasattr(buffer, "__array_interface__") or not hasattr(value, "__array_interface__"):
        return value
    if buffer.size != value.size:
        raise _InvalidArgument(f"the buffer has {buffer.size} elements for {value.size}")
    if buffer.dtype != value.dtype:
        raise _TypeMismatch(f"the buffer has elements of type {buffer.dtype}, and what came {value.dtype}", None)
    buffer[...] = value.reshape(buffer.shape)
    return buffer


def balance(N: int, P: int, p: int) -> tuple[int, int]:
    """Which of N things the p-th of P processes gets: from the first number on, and below the second one."""
    each, more = divmod(N, P)
    low = p * each + min(p, more)
    return low, low + each + (p < more)


# Names of old

Wtime, Get_processor_name = time, get_processor_name
Initialized, Finalize, Abort, Barrier, bcast = initialized, finalize, abort, barrier, broadcast


def send_array(x: Any, destination: int, tag: int = default_tag) -> None:
    """`send` of an array."""
    send(x, destination, tag=tag)


def receive_array(buffer: Any, source: int, tag: int = default_tag) -> Any:
    """`receive` of an array into `buffer`."""
    return receive(source, buffer, tag=tag)


def receive_string(buffer: Any, source: int, tag: int = default_tag) -> Any:
    """`receive` of a string."""
    return receive(source, buffer, tag=tag)


def bsend_array(x: Any, destination: int, tag: int = default_tag) -> None:
    """`bsend` of an array."""
    bsend(x, destination, tag=tag)


def scatter_array(x: Any, buffer: Any, root: int = 0) -> Any:
    """`scatter` of an array into `buffer`."""
    return scatter(x, root, buffer)


def gather_array(x: Any, buffer: Any, root: int = 0) -> Any:
    """`gather` of arrays into `buffer`."""
    return gather(x, root, buffer)


def reduce_array(x: Any, buffer: Any, op: Any, root: int = 0) -> Any:
    """`reduce` of arrays into `buffer`."""
    return reduce(x, op, root, buffer)


send_string, bsend_string, scatter_string, gather_string = send_array, bsend_array, scatter_array, gather_array
broadcast_array = broadcast_string = broadcast
