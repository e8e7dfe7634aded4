"""What a suite is made of: see `suites/pool.py`. A new suite is one more such file, with

TITLE, LIMITS   what the plot's two parts are called
NOTE            what one must know to read the plot, below it; None if nothing
FLOORS          names of peers that are limits: the plot shows how near to them we are
PACKAGES        what Python's peers need
TOOLS           name → command that prints the version of what else takes part
GROUPS          the measurements
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "Benchmarks"
VENV = ROOT / ".venv-bench"
# Ours with Swift's libraries linked in, as servers are deployed: they start sooner. And as `swift build` links
# them if nothing is said.
SWIFT_PROGRAMS, SHARED_PROGRAMS = BENCHMARKS / ".build/release", BENCHMARKS / ".build-shared/release"
SWIFT_BUILDS = {SWIFT_PROGRAMS: ["--static-swift-stdlib"], SHARED_PROGRAMS: []}
C_PROGRAMS = BENCHMARKS / ".build/peers"

# A unit turns the figure that a program printed into a number, and says whether more of it is better.
UNITS = {
    "x": (lambda f: f["sequential"] / f["seconds"], True),
    "M/s": (lambda f: f["count"] / f["seconds"] / 1e6, True),
    "GB/s": (lambda f: f.get("bytes", f["count"]) / f["seconds"] / 1e9, True),
    "ms": (lambda f: f["seconds"] * 1e3, False),
    "µs": (lambda f: f["seconds"] / f["count"] * 1e6, False),
    "MB": (lambda f: f["count"] / 1e6, False),
    "% CPU": (lambda f: f["cpu"] / f["seconds"] * 100, False),
}

# Ends of names of ours that say which work it is, not who does it.
VARIANTS = (", 4 workers", ", with it", ", shared libraries", ", a listener", ", replaced every 7", ", fresh interpreters")


@dataclass
class Row:
    """Ours against one peer. A target has a unit of its own where it limits ours, not the ratio."""

    peer: str
    target: str | None = None
    ours: str = "Apus"
    work: str | None = None  # the group's, if not given
    unit: str | None = None  # the group's, if not given


@dataclass
class Group:
    """Programs that do the same work, run in turn: every row of the group is made of their medians."""

    work: str
    unit: str
    sides: dict[str, list]  # name → command
    rows: list[Row]
    turns: float = 1  # how many of its turns the group takes in each round

    def __post_init__(self):
        for row in self.rows:
            row.work = row.work or self.work
            row.unit = row.unit or self.unit


def swift(program, *arguments):
    return [SWIFT_PROGRAMS / program, *arguments]


def swift_shared(program, *arguments):
    return [SHARED_PROGRAMS / program, *arguments]


def python(script, *arguments):
    return [VENV / "bin/python", BENCHMARKS / "peers/python" / script, *arguments]


def c(program, *arguments):
    return [C_PROGRAMS / program, *arguments]


def is_ours(command):
    return any(word.parent in SWIFT_BUILDS if isinstance(word, Path) else str(word).startswith("Apus") for word in command)


def ratio(ours, peer):
    return None if ours is None or not peer else ours / peer


class Target(NamedTuple):
    comparison: str
    number: float
    slack: float  # that much more than the ratio gives, in the row's unit
    unit: str | None  # if it limits ours alone

    def limit(self, peer):
        """What the ratio may be."""
        return self.number + (self.slack / peer if self.slack else 0)


def parse(target):
    """'≥ 30', '≤ 1/30', '≤ 1.05 + 0.05 µs' or '≤ 4 MB'. What comes on top is in the row's unit."""
    pattern = r"([≥≤<]) ([\d.]+)(?:/([\d.]+))?(?: \+ ([\d.]+) (?:µs|ms|MB))? ?(.*)"
    comparison, number, divisor, slack, unit = re.fullmatch(pattern, target).groups()
    return Target(comparison, float(number) / float(divisor or 1), float(slack or 0), unit or None)


def holds(target, ours, peer):
    if target is None or ours is None:
        return None
    target = parse(target)
    value, limit = (ours, target.number) if target.unit else (ratio(ours, peer), target.limit(peer))
    return {"≥": value >= limit, "≤": value <= limit, "<": value < limit}[target.comparison]
