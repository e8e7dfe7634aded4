"""Ranks that send each other messages: the processes of one job, each with a number from 0 on.

    from apus import mpi

    world = mpi.world()
    if world.rank == 0:
        world.send({"any": "object"}, to=1)
    elif world.rank == 1:
        print(world.receive(source=0))

The same program runs alone, as a world of one; under `apus launch -n 4`, through shared memory; and under the launcher of an MPI
library, through that library.
"""

import os

from . import _messages as native
from ._collectives import Collectives
from ._operators import (
    BITWISE_AND, BITWISE_OR, BITWISE_XOR, LOGICAL_AND, LOGICAL_OR, LOGICAL_XOR, MAX, MIN, PRODUCT, SUM, Operator)
from ._ranks import join
from ._requests import Request, wait_all
from .errors import (
    CollectiveFailed, ConcurrentUse, Deadlock, Finalized, InvalidArgument, MessageError, NoResources, NotEncodable, RankEnded,
    RankFailed, RequestCancelled, StartUpFailed, TooLong, TransportError, TypeMismatch)

__all__ = [
    "ANY", "BITWISE_AND", "BITWISE_OR", "BITWISE_XOR", "CollectiveFailed", "Communicator", "ConcurrentUse", "Deadlock", "Finalized",
    "InvalidArgument", "LARGEST_TAG", "LOGICAL_AND", "LOGICAL_OR", "LOGICAL_XOR", "MAX", "MIN", "MessageError", "NoResources",
    "NotEncodable", "Operator", "PRODUCT", "RankEnded", "RankFailed", "Request", "RequestCancelled", "SUM", "StartUpFailed", "Status",
    "TooLong", "TransportError", "TypeMismatch", "wait_all", "world",
]

# Any source, and any tag.
ANY = -1
LARGEST_TAG = 1 << 20
Status = native.Status


class Communicator(native.Ranks, Collectives):
    """Some ranks of a job, or all of them: `world()`.

    Messages from one rank to another arrive in the order in which they were sent. A send of something large may wait until it is
    received, so two ranks that send each other large arrays use `sendreceive` or `isend`. Arrays of NumPy travel as they lie in
    memory, everything else is pickled.

    `rank`: this process's number, in `range(size)`. `size`: how many ranks there are.
    """

    def __init__(self, pointer):
        super().__init__(pointer)
        self._pointer, self._handle = pointer, native.Handle(pointer)
        self.rank, self.size = native.rank(pointer), native.size(pointer)

    def __repr__(self):
        return f"<apus.mpi.Communicator: rank {self.rank} of {self.size}>"

    def __reduce__(self):
        raise TypeError("a communicator can't be pickled: it belongs to its process")

    @property
    def node(self):
        """The name of the machine that this rank runs on."""
        return os.uname().nodename

    # `send(value, to, tag=0)` and `receive(source=ANY, tag=ANY, into=None, status=False)` are those of `native.Ranks`.

    def sendreceive(self, value, to, source=ANY, tag=0, receive_tag=ANY, into=None):
        """Sends an object and receives another at the same time: ranks that exchange large ones don't wait for each other."""
        request = self.isend(value, to, tag)
        received = self.receive(source, receive_tag, into)
        request.wait()
        return received

    def probe(self, source=ANY, tag=ANY):
        """Waits for a message, and tells what it says of itself. It stays where it is."""
        found = native.Message()
        native.call(native._probe, self._pointer, source, tag, 1, native.byref(found))
        return found.status

    def iprobe(self, source=ANY, tag=ANY):
        """The same without waiting: None if there is no message yet."""
        found = native.Message()
        is_there = native.call(native._probe, self._pointer, source, tag, 0, native.byref(found))
        return found.status if is_there else None

    def isend(self, value, to, tag=0):
        """Starts to send an object. An array stays as it is until the request is done."""
        return Request.send(self, value, to, tag)

    def ireceive(self, source=ANY, tag=ANY, into=None):
        """Starts to receive: `wait()` of the request returns what came."""
        return Request.receive(self, source, tag, into)

    def split(self, color=0, key=0):
        """Divides the ranks: those with the same color make a communicator of their own, by `key` and then by their rank here.

        Every rank calls it. None on ranks whose color is None.
        """
        place = native.c_void_p()
        native.call(
            native._split, self._pointer, color is not None, color or 0, key, native.byref(place))
        return Communicator(place.value) if place.value else None

    def duplicate(self):
        """The same ranks once more, with messages that meet none of this communicator's: for a library. Every rank calls it."""
        return self.split(0, self.rank)

    def abort(self, status=1):
        """Ends the whole job at once, with `status` as this rank's exit status."""
        import sys

        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        native.abort(self._pointer, status)


_world = None


def world(threads=False):
    """All ranks of the job. The first call joins them, and later ones give the same communicator.

    `threads`: whether several threads may use communicators at the same time.
    """
    global _world
    if _world is None or threads:
        _world = join(Communicator, threads, _world)
    return _world
