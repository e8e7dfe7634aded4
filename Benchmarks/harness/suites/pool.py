"""The process pool against the process pools of Python, and against what the machine can do at most."""

from harness.suite import Group, Row, c, python, swift, swift_shared

TITLE = "Apus's process pool, 2 workers"
LIMITS = "how near to what the machine can do (1× is the limit)"
NOTE = None
PACKAGES = ["numpy", "joblib", "loky", "matplotlib"]
TOOLS = {}

POOL, EXECUTOR = "multiprocessing.Pool", "ProcessPoolExecutor"  # both fork: their fastest
SPAWN = "Pool, spawn mode"
PROCESSES, RING, THREADS, MEMCPY = "two C processes", "bare C ring", "two threads", "memcpy"
APUS, APUS4, SHARED = "Apus", "Apus, 4 workers", "Apus, shared libraries"
HEARD, FRESH = "Apus, a listener", "Apus, replaced every 7"
AWAIT, AWAIT4 = "Apus, await", "Apus, await, 4 workers"

# Not peers but limits: the plot shows how near to them we are.
FLOORS = {PROCESSES, RING, THREADS, MEMCPY}


def ours(measurement, *arguments):
    """The same with two workers and with four, which share the two cores."""
    return {name: swift("PoolBenchmark", measurement, workers, *arguments)
            for name, workers in ((APUS, 2), (APUS4, 4))}


def peers(measurement, *counts):
    names = {POOL: "Pool", EXECUTOR: "Executor", "loky": "Loky", "joblib": "Joblib"}
    return {name: python("pool.py", measurement, library, 2, count)
            for (name, library), count in zip(names.items(), counts)}


def against_python(target):
    return [Row(POOL, target), Row(EXECUTOR), Row("loky"), Row("joblib")]


def fibonacci(high, low, repetitions, target, turns=1):
    return Group(
        f"Fibonacci {high} to {low}, with start-up", "x",
        ours("fibonacci", high, low, repetitions)
        | {SHARED: swift_shared("PoolBenchmark", "fibonacci", 2, high, low, repetitions),
           PROCESSES: c("fib_two_processes", high, low, repetitions)},
        [Row(PROCESSES, target), Row(PROCESSES, ours=SHARED), Row(APUS, "≥ 0.8", ours=APUS4)],
        turns=turns)


GROUPS = [
    # Noise of a tenth, within a target of a twentieth: hence the turns.
    fibonacci(38, 33, 9, "≥ 0.96", turns=2),
    fibonacci(43, 38, 2, "≥ 0.985"),
    Group("no-op tasks, one a message", "M/s",
          ours("each", 1_000_000) | {HEARD: swift("PoolBenchmark", "heard", 2, 1_000_000)}
          | peers("each", 30_000, 5_000, 3_000, 2_000),
          # 1.3 times the time.
          against_python("≥ 30") + [Row(APUS, "≥ 0.8", ours=APUS4), Row(APUS, "≥ 0.77", ours=HEARD)]),
    Group("no-op tasks, automatic chunks", "M/s",
          ours("automatic", 10_000_000)
          | {THREADS: swift("PoolBenchmark", "threads", 2, 10_000_000)}
          | peers("automatic", 10_000_000, 1_000_000, 1_000_000, 200_000),
          against_python("≥ 15")
          + [Row(THREADS, "≤ 1.6", unit="ms"), Row(APUS, "≥ 0.8", ours=APUS4)]),
    Group("one blocking call and back", "µs",
          ours("call", 5_000)
          | {AWAIT: swift("PoolBenchmark", "await", 2, 2_000),
             AWAIT4: swift("PoolBenchmark", "await", 4, 2_000),
             RING: c("ring", 20_000)}
          | peers("call", 1_000, 500, 500, 50),
          [Row(RING, "≤ 8"), *against_python("≤ 1/30"), Row(APUS, "≤ 1.25", ours=APUS4),
           Row(POOL, "≤ 1/8", ours=AWAIT, work="one await and back"),
           Row(AWAIT, "≤ 1.25", ours=AWAIT4, work="one await and back")]),
    Group("64 MiB of doubles, both ways", "GB/s",
          ours("doubles", 64) | {MEMCPY: swift("PoolBenchmark", "memcpy", 1, 64)}
          | peers("doubles", 64, 64, 64, 64),
          against_python("≥ 5") + [Row(MEMCPY, "≥ 0.25"), Row(APUS, "≥ 0.8", ours=APUS4)]),
    Group("10,000 tasks of 5 ms", "ms",
          {APUS: swift("PoolBenchmark", "replaced", 2, 10_000),
           FRESH: swift("PoolBenchmark", "replaced", 2, 10_000, 7)},
          [Row(APUS, "≤ 1.3", ours=FRESH)], turns=0.2),
    Group("two workers' first results", "ms",
          {APUS: swift("PoolBenchmark", "startup", 2),
           SHARED: swift_shared("PoolBenchmark", "startup", 2),
           POOL: python("pool.py", "startup", "Pool", 2, 1),
           SPAWN: python("pool.py", "startup", "SpawnPool", 2, 1),
           "loky": python("pool.py", "startup", "Loky", 2, 1)},
          [Row(POOL, "≤ 1"), Row(SPAWN, "≤ 1/10"), Row("loky"),
           Row(POOL, ours=SHARED)], turns=4),
    Group("memory of an idle worker", "MB",
          {APUS: swift("PoolBenchmark", "memory", 2), SHARED: swift_shared("PoolBenchmark", "memory", 2)}
          | peers("memory", 1, 1, 1),
          [Row(POOL, "≤ 4 MB"), Row(EXECUTOR), Row("loky"), Row(POOL, ours=SHARED)]),
    Group("CPU of an idle pool, 10 s", "% CPU",
          {APUS: swift("PoolBenchmark", "idle", 2, 10)} | peers("idle", 10),
          [Row(POOL, "< 0.1 % CPU")], turns=0.4),
]
