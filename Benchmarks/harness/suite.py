"""What a suite is made of. `suites/pool.py` is an example; a new suite is one more such file."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "Benchmarks"
VENV = ROOT / ".venv-bench"

# A unit turns the figure that a program printed into a number, and says whether more of it is better.
UNITS = {
    "x": (lambda f: f["sequential"] / f["seconds"], True),
    "M/s": (lambda f: f["count"] / f["seconds"] / 1e6, True),
    "GB/s": (lambda f: f["count"] / f["seconds"] / 1e9, True),
    "ms": (lambda f: f["seconds"] * 1e3, False),
    "µs": (lambda f: f["seconds"] / f["count"] * 1e6, False),
    "MB": (lambda f: f["count"] / 1e6, False),
    "% CPU": (lambda f: f["cpu"] / f["seconds"] * 100, False),
}


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
    return [BENCHMARKS / ".build/release" / program, *arguments]


def python(script, *arguments):
    return [VENV / "bin/python", BENCHMARKS / "peers/python" / script, *arguments]


def c(program, *arguments):
    return [BENCHMARKS / ".build/peers" / program, *arguments]


def ratio(ours, peer):
    return None if ours is None or not peer else ours / peer


def parse(target):
    """'≥ 30', '≤ 1/30' or '≤ 4 MB' → comparison, number, unit or None."""
    comparison, number, divisor, unit = re.fullmatch(r"([≥≤<]) ([\d.]+)(?:/([\d.]+))? ?(.*)", target).groups()
    return comparison, float(number) / float(divisor or 1), unit or None


def holds(target, ours, ratio):
    if target is None or ours is None:
        return None
    comparison, limit, unit = parse(target)
    value = ours if unit else ratio
    return {"≥": value >= limit, "≤": value <= limit, "<": value < limit}[comparison]
