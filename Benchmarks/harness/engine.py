"""Runs the sides of a suite in turn, makes its rows of their medians, and prints them."""

import json
import statistics
import subprocess
import sys

from harness.setup import BenchError
from harness.suite import UNITS, VARIANTS, holds, is_ours, ratio

TIME_LIMIT = 300


def select(groups, only="", without=(), peers=False):
    """The rows whose work or names have `only` in them, and no side that no row asks for."""
    chosen = []
    for group in groups:
        rows = [row for row in group.rows
                if only.lower() in f"{row.work} {row.ours} {row.peer}".lower() and row.peer not in without]
        names = {name for row in rows for name in (row.ours, row.peer)}
        # One of ours is no peer: with --peers it is not there, and its rows show none.
        group.sides = {name: command for name, command in group.sides.items()
                       if name in names and not (peers and is_ours(command))}
        group.rows = [row for row in rows if row.peer in group.sides]
        if group.rows:
            chosen.append(group)
    return chosen


def run(command):
    """The figure that a program printed, as its last line."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise BenchError(f"no end after {TIME_LIMIT} s: {' '.join(words)}") from None
    if done.returncode != 0:
        raise BenchError(f"status {done.returncode}: {' '.join(words)}\n{done.stderr[-2000:]}")
    try:
        return json.loads(done.stdout.strip().split("\n")[-1])
    except ValueError:
        raise BenchError(f"no figure from {' '.join(words)}: {done.stdout[-200:]!r}") from None


def measure(group, rounds):
    """The figures of each side. The sides alternate, so that a slow minute of the machine hits all."""
    figures = {name: [] for name in group.sides}
    turns = max(1, round(rounds * group.turns))
    for turn in range(turns):
        for name, command in group.sides.items():
            progress(f"{group.work}: {turn + 1} of {turns}, {name}")
            figures[name].append(run(command))
    progress("")
    return figures


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def rows(group, rounds):
    figures = measure(group, rounds)
    result = []
    for row in group.rows:
        value, _ = UNITS[row.unit]
        ours, peer = (statistics.median(map(value, figures[name])) if name in figures else None
                      for name in (row.ours, row.peer))
        exact = ratio(ours, peer)
        work = row.work + next((variant for variant in VARIANTS if row.ours.endswith(variant)), "")
        result.append({
            "work": work, "ours": rounded(ours), "peer": rounded(peer),
            "peerName": row.peer + (", 2 workers" if row.ours == f"{row.peer}, 4 workers" else ""),
            "unit": row.unit, "ratio": rounded(exact), "target": row.target,
            "holds": holds(row.target, ours, peer)})
    return result


def rounded(value):
    return None if value is None else float(f"{value:.4g}")


def short(value):
    """Three digits: 0.00213, 0.987, 31.2, 1230."""
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def table_lines(rows):
    yield ("work", "ours", "peer", "unit", "against", "ratio", "target", "holds")
    previous = None
    for row in rows:
        small = row["ratio"] and row["ratio"] < 0.1
        yield ("" if row["work"] == previous else row["work"], short(row["ours"]), short(row["peer"]), row["unit"],
               row["peerName"], "1/" + short(1 / row["ratio"]) if small else short(row["ratio"]),
               row["target"] or "", {True: "yes", False: "NO", None: ""}[row["holds"]])
        previous = row["work"]


def print_table(rows):
    print_lines(list(table_lines(rows)), right={1, 2, 5}, gaps=True)


def print_lines(lines, right=frozenset({1, 2, 4}), gaps=False):
    """Cells in columns; with `gaps`, an empty line before each work."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    for number, line in enumerate(lines):
        if gaps and number > 0 and line[0] and not line[0].endswith(VARIANTS):
            print()
        cells = (cell.rjust(width) if index in right else cell.ljust(width)
                 for index, (cell, width) in enumerate(zip(line, widths)))
        print("  ".join(cells).rstrip())
