"""mpi4py's side of `MessageBenchmark`: one measurement a run, one line of JSON by rank 0.

    mpirun -n 2 python messages.py struct      ->  {"seconds": 0.004, "count": 2048, "bytes": 0}
"""

import dataclasses
import sys

import batches
import mpi4py
import numpy

mpi4py.rc.thread_level = "serialized"  # as the others
from mpi4py import MPI  # noqa: E402

world = MPI.COMM_WORLD


def measure(work, count, size):
    batches.measure(work, count, size, rank=world.rank, barrier=world.Barrier, broadcast=world.bcast)


def buffer(size):
    """Memory of numpy, with what is in C underneath: the upper-case calls."""
    memory = numpy.ones(size, dtype=numpy.uint8)
    send, receive, rank = world.Send, world.Recv, world.rank

    def ping_pong(rounds):
        for _ in range(rounds):
            if rank == 0:
                send(memory, 1, 1)
                receive(memory, 1, 1)
            else:
                receive(memory, 0, 1)
                send(memory, 0, 1)

    measure(ping_pong, 2, size)


def pickled(value, size):
    """Any object: the lower-case calls."""
    send, receive, rank = world.send, world.recv, world.rank

    def ping_pong(rounds):
        for _ in range(rounds):
            if rank == 0:
                send(value, 1, 1)
                receive(None, 1, 1)
            else:
                send(receive(None, 0, 1), 0, 1)

    measure(ping_pong, 2, size)


@dataclasses.dataclass
class Reading:
    number: int
    sensor: str
    values: list


def struct(_):
    pickled(Reading(7, "north 7", [1.5, 2.5, 3.5]), 0)


def dictionary(_):
    """The same with no type: faster, since no class has to be found and no object made of it."""
    pickled(dataclasses.asdict(Reading(7, "north 7", [1.5, 2.5, 3.5])), 0)


def array(size):
    pickled(numpy.arange(size // 8, dtype=numpy.float64), size)


if __name__ == "__main__":
    assert world.size == 2, "two ranks are needed"
    {f.__name__: f for f in (buffer, struct, dictionary, array)}[sys.argv[1]](int(sys.argv[2]))
