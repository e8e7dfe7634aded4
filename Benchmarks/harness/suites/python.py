"""The Python package against the pools that Python's programs use today."""

from harness import python_messages
from harness.suite import Group, Row, python

TITLE = "Apus for Python, 2 workers"
LIMITS = "how near to what the machine can do (1× is the limit)"
NOTE = None
PACKAGES = ["numpy", "joblib", "loky", "scikit-learn", "cloudpickle", "setuptools", "matplotlib", "./Python",
            *python_messages.PACKAGES]
TOOLS = python_messages.TOOLS

POOL, EXECUTOR = "multiprocessing.Pool", "ProcessPoolExecutor"  # both fork: their fastest
SERVER, SPAWN = "Pool, forkserver mode", "Pool, spawn mode"
APUS, FRESH = "Apus", "Apus, fresh interpreters"
PROCESSES, BARE, WITH = "two Python processes", "bare interpreters", "Apus, with it"
# Not peers but limits: the plot shows how near to them we are.
FLOORS = {PROCESSES, BARE}
CLASSES = {APUS: "Apus", FRESH: "ApusFresh", POOL: "Pool", SERVER: "ServerPool", SPAWN: "SpawnPool",
           EXECUTOR: "Executor", "loky": "Loky", "joblib": "Joblib", BARE: "Bare"}


def sides(measurement, **counts):
    names = {kind: name for name, kind in CLASSES.items()}
    return {names[kind]: python("pool.py", measurement, kind, 2, count) for kind, count in counts.items()}


def fibonacci():
    return Group(
        "the naive fib of 38 to 33, with start-up", "ms",
        {APUS: python("fibonacci.py", "Apus", 38), PROCESSES: python("fibonacci.py", "TwoProcesses", 38)},
        [Row(PROCESSES, "≤ 1/0.98"), Row(PROCESSES, "≥ 1.9 x", work="the same against a plain loop", unit="x")])


def templates():
    return [
        Group("a killed worker's place taken, where imports take 1 s", "ms",
              {APUS: python("templates.py", "replaced", "Apus"), EXECUTOR: python("templates.py", "replaced", "Executor")},
              [Row(EXECUTOR, "≤ 20 ms")]),
        Group("two workers that have a dictionary of 1 GiB from the start", "ms",
              {WITH: python("templates.py", "dictionary", "ApusWith"), APUS: python("templates.py", "dictionary", "Apus"),
               POOL: python("templates.py", "dictionary", "PoolWith")},
              [Row(APUS, "≤ 1 + 20 ms", ours=WITH), Row(POOL, ours=WITH)]),
    ]


def learning():
    return [
        Group(f"scikit-learn, {work}, {says}", "ms",
              {APUS: python("learning.py", work, moment, "apus"), "loky": python("learning.py", work, moment, "loky")},
              [Row("loky", "≤ 1")])
        for work in ("cross_val_score", "GridSearchCV") for moment, says in (("first", "first call"), ("later", "again"))
    ]


GROUPS = [
    fibonacci(),
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
          sides("memory", Apus=1, ApusFresh=1, Bare=1, Pool=1, Executor=1, Loky=1),
          [Row(BARE, "≤ 1 + 3 MB"), Row(POOL), Row(EXECUTOR), Row("loky"), Row(BARE, "≤ 1 + 3 MB", ours=FRESH)]),
    Group("CPU of an idle pool, 10 s", "% CPU",
          sides("idle", Apus=10, Pool=10), [Row(POOL, "< 0.1 % CPU")], turns=0.4),
    *templates(),
    *learning(),
    *python_messages.GROUPS,
]
