"""The Python package against the pools that Python's programs use today."""

from harness import python_messages
from harness.suite import Group, Row, python

TITLE = "Apus for Python, 2 workers"
LIMITS = "how near to what the machine can do (1× is the limit)"
NOTE = None
PACKAGES = ["numpy", "joblib", "loky", "cloudpickle", "setuptools", "matplotlib", "./Python",
            *python_messages.PACKAGES]
TOOLS = python_messages.TOOLS
FLOORS = set()

POOL, EXECUTOR = "multiprocessing.Pool", "ProcessPoolExecutor"  # both fork: their fastest
SERVER, SPAWN = "Pool, forkserver mode", "Pool, spawn mode"
APUS, FRESH = "Apus", "Apus, fresh interpreters"
CLASSES = {APUS: "Apus", FRESH: "ApusFresh", POOL: "Pool", SERVER: "ServerPool", SPAWN: "SpawnPool",
           EXECUTOR: "Executor", "loky": "Loky", "joblib": "Joblib"}


def sides(measurement, **counts):
    names = {kind: name for name, kind in CLASSES.items()}
    return {names[kind]: python("pool.py", measurement, kind, 2, count) for kind, count in counts.items()}


GROUPS = [
    Group("no-op tasks, one a message", "M/s",
          sides("each", Apus=200_000, Pool=30_000, Executor=5_000, Loky=3_000, Joblib=2_000),
          [Row(POOL, "≥ 10"), Row(EXECUTOR), Row("loky"), Row("joblib")]),
    Group("no-op tasks, chunks by default: the slowest of ints, strings, tuples", "M/s",
          sides("default_chunks", Apus=500_000, Pool=500_000), [Row(POOL, "≥ 1")]),
    Group("the same in chunks of 100 against ours by default", "M/s",
          sides("default_chunks", Apus=500_000) | sides("chunks_of_100", Pool=200_000), [Row(POOL, "≥ 3")]),
    Group("one call and back", "µs",
          sides("call", Apus=5_000, Pool=1_000, Executor=500, Loky=500, Joblib=50),
          [Row(POOL, "≤ 1/40"), Row(EXECUTOR), Row("loky"), Row("joblib")]),
    Group("64 MiB of doubles, both ways", "GB/s",
          sides("doubles", Apus=64, Pool=64, Executor=64, Loky=64, Joblib=64),
          [Row(POOL, "≥ 5"), Row(EXECUTOR), Row("loky"), Row("joblib")]),
    Group("two workers' first results", "ms",
          sides("startup", Apus=1, ApusFresh=1, Pool=1, ServerPool=1, SpawnPool=1, Loky=1),
          [Row(POOL, "≤ 1"), Row(SERVER, "≤ 1", ours=FRESH), Row(SPAWN), Row("loky")], turns=4),
    Group("memory of an idle worker", "MB",
          sides("memory", Apus=1, ApusFresh=1, Pool=1, Executor=1, Loky=1),
          [Row(POOL), Row(EXECUTOR), Row("loky"), Row(POOL, ours=FRESH)]),
    Group("CPU of an idle pool, 10 s", "% CPU",
          sides("idle", Apus=10, Pool=10), [Row(POOL, "< 0.1 % CPU")], turns=0.4),
    *python_messages.GROUPS,
]
