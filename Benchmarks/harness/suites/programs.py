"""`apus run` against the tools that run commands side by side today."""

from harness.suite import SWIFT_PROGRAMS, Group, Row, c, python

TITLE = "apus run, 2 jobs at a time"
LIMITS = "how near to what the machine can do (1× is the limit)"
NOTE = None
PACKAGES = ["matplotlib"]
TOOLS = {"GNU parallel": ["parallel", "--version"], "xargs": ["xargs", "--version"]}

APUS, SHOWN, XARGS, PARALLEL, LOOP = "Apus", "Apus, with it", "xargs -P2", "GNU parallel", "posix_spawn in a loop"
FLOORS = {LOOP}
KINDS = {APUS: "Apus", SHOWN: "ApusShown", XARGS: "xargs", PARALLEL: "parallel"}


def sides(measurement, **counts):
    names = {kind: name for name, kind in KINDS.items()}
    return {names[kind]: python("programs.py", measurement, kind, count, *ours(kind)) for kind, count in counts.items()}


def ours(kind):
    return [SWIFT_PROGRAMS / "apus"] if kind.startswith("Apus") else []


GROUPS = [
    Group("5,000 times true, grouped output", "µs",
          sides("true", Apus=5000, xargs=5000, parallel=500) | {LOOP: c("spawn_loop", 5000, 2, "/bin/true")},
          [Row(XARGS, "< 1"), Row(PARALLEL, "≤ 1/8"), Row(LOOP, "≤ 1.3")]),
    Group("1,000 jobs that print 1 MB each, in order", "µs", sides("output", Apus=1000, parallel=200),
          [Row(PARALLEL, "≤ 1/5")]),
    Group("memory for that", "MB", sides("output-memory", Apus=1000, parallel=200), [Row(PARALLEL, "≤ 40 MB")]),
    Group("memory for a million inputs", "MB", sides("lazy-memory", Apus=1_000_000, xargs=1_000_000),
          [Row(XARGS, "≤ 40 MB")]),
    Group("one job, the whole process", "ms", sides("one", Apus=100, xargs=100, parallel=10),
          [Row(XARGS, "≤ 12 ms"), Row(PARALLEL)]),
    Group("5,000 times true with a log", "µs", sides("true", ApusShown=5000, Apus=5000), [Row(APUS, "≤ 1.1", ours=SHOWN)]),
]
