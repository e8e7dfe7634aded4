"""Python's messages between ranks: a part of the suite `python`. Needs Debian's libopenmpi-dev."""

from harness.suite import VENV, Group, Row, python

PACKAGES = ["mpi4py"]
TOOLS = {"Open MPI": ["mpirun.openmpi", "--version"]}

APUS, BUFFER, PICKLE = "Apus", "mpi4py, a buffer", "mpi4py, pickled"
MPIRUN = ["env", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "MPI4PY_MPIABI=openmpi",
          "mpirun.openmpi", "--bind-to", "none", "--oversubscribe", "-n", 2]


def ours(interface, measurement, size=0):
    return [VENV / "bin/apus", "launch", "-n", 2, *python("apus_messages.py", f"Apus.{interface}", measurement, size)]


def mpi4py(measurement, size=0):
    return [*MPIRUN, *python("messages.py", measurement, size)]


def arrays(interface, work, size, turns):
    """Ours makes a new array of each message, as pickle does; a buffer is there already."""
    sides = {APUS: ours(interface, "array", size), BUFFER: mpi4py("buffer", size), PICKLE: mpi4py("array", size)}
    return Group(f"apus.{interface}, an array of {work}, one way", "µs", sides, [Row(BUFFER, "≤ 1"), Row(PICKLE, "≤ 1")], turns=turns)


GROUPS = [
    group
    for interface in ("mpi", "pypar")
    for group in (
        arrays(interface, "8 bytes", 8, 2),
        arrays(interface, "1 MiB", 1 << 20, 2),
        Group(f"apus.{interface}, a small dict, one way", "µs",
              {APUS: ours(interface, "dictionary"), PICKLE: mpi4py("dictionary")}, [Row(PICKLE, "≤ 1")], turns=2),
    )
]
