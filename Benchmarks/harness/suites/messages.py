"""Messages between ranks, against MPI in C and in Python. Needs Debian's libopenmpi-dev and libmpich-dev."""

from harness.suite import Group, Row, c, python, swift

TITLE = "Apus's messages between ranks"
LIMITS = "how near to C over the same library, or to the copies alone (1× is as fast)"
NOTE = """4 ranks on 2 cores: MPICH's ranks spin while they wait, and take turns as the scheduler has it, some 8 ms a round,
also with its settings for that case. Such a ratio is about waiting, not about messages."""
PACKAGES = ["numpy", "mpi4py", "matplotlib"]
TOOLS = {"Open MPI": ["mpirun.openmpi", "--version"], "MPICH": ["mpichversion"]}

APUS, OPENMPI, MPICH, MPI4PY, SAME = "Apus", "Open MPI", "MPICH", "mpi4py", "the same in C"
# The fields of the struct without its type.
DICTIONARY = "mpi4py, a dict"
# Processes that do nothing but copy.
COPIES = "the copies alone"
FLOORS = {SAME, COPIES}

# As their documentation has it for containers, and for more ranks than cores (the second of each). Nobody is bound to
# a core: MPICH and Apus don't do it, so Open MPI doesn't either.
AS_ROOT = ["OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"]
OPENMPI_RUN = ["env", *AS_ROOT, "mpirun.openmpi", "--bind-to", "none", "--oversubscribe"]
OPENMPI_YIELD = [*OPENMPI_RUN, "--mca", "mpi_yield_when_idle", "1"]
MPICH_RUN = ["mpirun.mpich"]
MPICH_YIELD = ["env", "MPIR_CVAR_POLLS_BEFORE_YIELD=1", "MPIR_CVAR_CH4_PROGRESS_THROTTLE=true",
               "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT=1", *MPICH_RUN]
APUS_RUN = swift("apus", "launch")


def ranks(count, launcher, command):
    return [*launcher, "-n", count, *command]


def ours(*arguments, launcher=APUS_RUN, count=2):
    return ranks(count, launcher, swift("MessageBenchmark", *arguments))


def mpi4py(*arguments):
    # The library that the figures for Open MPI are of: its wheel finds it in the system.
    return ranks(2, ["env", "MPI4PY_MPIABI=openmpi", *OPENMPI_RUN], python("messages.py", *arguments))


def in_c(program, *arguments, count=2, openmpi=OPENMPI_RUN, mpich=MPICH_RUN):
    return {OPENMPI: ranks(count, openmpi, c(f"{program}.openmpi", *arguments)),
            MPICH: ranks(count, mpich, c(f"{program}.mpich", *arguments))}


def over(name, launcher, size, measurement, bytes, turns):
    """Ours through a library, against C through the same."""
    return Group(f"{size} over {name}", "µs",
                 {APUS: ours(measurement, bytes, launcher=launcher), SAME: in_c("pingpong", bytes)[name]},
                 [Row(SAME, "≤ 1.05 + 0.05 µs")], turns=turns)


def collective(work, measurement, bytes, count, floor=None, turns=1):
    sides = {APUS: ours(measurement, bytes, count=count)} | in_c(
        "collectives", measurement, bytes, count=count, openmpi=OPENMPI_YIELD, mpich=MPICH_YIELD)
    rows = [Row(OPENMPI, "≤ 1"), Row(MPICH, "≤ 1")]
    if floor:
        sides[COPIES] = floor
        rows.append(Row(COPIES))
    return Group(f"{work}, {count} ranks", "µs", sides, rows, turns=turns)


def all_to_all(size, bytes, count):
    """Nearly all of the time is the machine's copying, the same for all: what may differ is little, hence the turns."""
    return collective(f"allToAll, {size} each", "allToAll", bytes, count, floor=c("exchange", bytes, count), turns=2)


def launched(work, command_ours, openmpi, mpich, target=None):
    def timed(*command):
        return c("command_time", 20, *command)
    return Group(work, "ms",
                 {APUS: timed(*ranks(2, APUS_RUN, command_ours)),
                  OPENMPI: timed(*ranks(2, OPENMPI_RUN, openmpi)), MPICH: timed(*ranks(2, MPICH_RUN, mpich))},
                 [Row(OPENMPI, target), Row(MPICH)])


GROUPS = [
    Group("8 bytes, one way", "µs",
          {APUS: ours("value")} | in_c("pingpong", 8) | {MPI4PY: mpi4py("buffer", 8)},
          [Row(OPENMPI, "≤ 1.15"), Row(MPICH), Row(MPI4PY)], turns=2),
    Group("4 MiB, one way", "GB/s",
          {APUS: ours("buffer", 4 << 20)} | in_c("pingpong", 4 << 20) | {MPI4PY: mpi4py("buffer", 4 << 20)},
          [Row(OPENMPI, "≥ 1"), Row(MPICH), Row(MPI4PY)], turns=2),
    Group("a small struct, one way", "µs",
          {APUS: ours("struct"), MPI4PY: mpi4py("struct", 0), DICTIONARY: mpi4py("dictionary", 0)},
          [Row(MPI4PY, "≤ 1/5"), Row(DICTIONARY)]),
    Group("an array of 1 MiB, one way", "µs",
          {APUS: ours("array", 1 << 20), MPI4PY: mpi4py("array", 1 << 20)},
          [Row(MPI4PY, "≤ 1/5")]),
    # What may differ is a twentieth: hence the turns.
    *(over(name, launcher, *what, turns=3)
      for what in (("8 bytes", "value", 8), ("4 MiB", "buffer", 4 << 20))
      for name, launcher in ((OPENMPI, OPENMPI_RUN), (MPICH, MPICH_RUN))),
    *(collective(*what, count)
      for what in (("allReduce of 8 bytes", "allReduce", 8), ("allReduce of 1 MiB", "allReduce", 1 << 20),
                   ("barrier", "barrier", 0), ("allToAll, 8 bytes each", "allToAll", 8))
      for count in (2, 4)),
    *(all_to_all(*size, count) for size in (("64 KiB", 64 << 10), ("1 MiB", 1 << 20)) for count in (2, 4)),
    Group("a receive blocked for 5 s", "% CPU",
          {APUS: ours("blocked", 5)} | in_c("blocked", 5), [Row(OPENMPI, "< 1 % CPU"), Row(MPICH)], turns=0.4),
    launched("two empty programs", ["/bin/true"], ["/bin/true"], ["/bin/true"], target="≤ 1/5"),
    launched("two ranks that join and end", swift("MessageBenchmark", "join"), c("join.openmpi"), c("join.mpich")),
]
