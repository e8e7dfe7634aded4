"""`apus.mpi` and `apus.pypar`, as `messages.py` has mpi4py: one measurement a run, one line of JSON by rank 0.

    apus launch -n 2 python apus_messages.py Apus.mpi array 8      ->  {"seconds": 0.004, "count": 2048, "bytes": 0}
"""

import sys

import batches
import numpy
from apus import mpi

world = mpi.world()
rank, other = world.rank, 1 - world.rank


def calls(name):
    """send(value) and receive() of an interface."""
    if name == "Apus.mpi":
        return world.send, world.receive
    from apus import pypar

    return pypar.send, pypar.receive


def ping_pong(send, receive, value, size):
    def work(rounds):
        for _ in range(rounds):
            if rank == 0:
                send(value, 1)
                receive(1)
            else:
                send(receive(0), 0)

    batches.measure(work, 2, size, rank=rank, barrier=world.barrier, broadcast=world.broadcast)


def into(send, receive, size):
    """Arrays that are received into memory which is there."""
    memory = numpy.ones(size // 8)

    def work(rounds):
        for _ in range(rounds):
            if rank == 0:
                send(memory, 1)
                receive(1, 0, memory)
            else:
                receive(0, 0, memory)
                send(memory, 0)

    batches.measure(work, 2, size, rank=rank, barrier=world.barrier, broadcast=world.broadcast)


if __name__ == "__main__":
    assert world.size == 2, "two ranks are needed"
    send, receive = calls(sys.argv[1])
    size = int(sys.argv[3])
    if sys.argv[2] == "into":
        into(send, receive, size)
    elif sys.argv[2] == "array":
        ping_pong(send, receive, numpy.arange(size // 8, dtype=numpy.float64), size)
    else:
        ping_pong(send, receive, {"number": 7, "sensor": "north 7", "values": [1.5, 2.5, 3.5]}, 0)
