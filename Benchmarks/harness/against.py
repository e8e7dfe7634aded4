"""This checkout of Apus beside another one: the same measurements in turn, and how they differ.

Both sides run the same programs with the same arguments, so what differs is the library. Each turn gives a ratio of
its own; their quartiles say how much of a difference is noise.
"""

import statistics
import sys
from pathlib import Path

from harness import engine, setup
from harness.suite import BENCHMARKS, ROOT, UNITS, VENV, is_ours

HERE, THERE = "here", "there"


def compare(suite, options):
    other = options.against.resolve()
    if not (other / "Scripts/bench").is_file():
        raise setup.BenchError(f"{other} is no checkout of Apus")
    cases = list(select(suite.GROUPS, options.only))
    if not cases:
        raise setup.BenchError("no row is left")
    setup.warn_if_busy()
    sides = [command for _, _, _, command in cases]
    if any(VENV / "bin/python" in command for command in sides):
        setup.install_peers(suite.PACKAGES)
    if not options.no_build:
        setup.build(sides)
        build_there(other, options.name)
    setup.check(sides)

    rounds = 1 if options.quick else options.rounds
    rows = [measure(case, other, rounds) for case in cases]
    engine.print_lines([("work", "here", "there", "unit", "ratio", "quartiles", "verdict"), *rows])
    worse = [row[0] for row in rows if row[-1] == "WORSE"]
    if worse:
        print(f"\nworse than there: {'; '.join(worse)}")
    return 1 if options.check and worse else 0


def select(groups, only):
    """Each side of ours that some row shows, once: work, unit, turns, command."""
    for group in groups:
        shown = {}
        for row in group.rows:
            for name in (row.ours, row.peer):
                if name in group.sides and is_ours(group.sides[name]):
                    shown.setdefault(name, row)
        for name, row in shown.items():
            work = row.work + ("" if name == "Apus" else f" ({name.removeprefix('Apus, ')})")
            if only.lower() in work.lower():
                yield work, group.unit, group.turns, group.sides[name]


def build_there(other, name):
    """Its own harness knows how."""
    script = ("import importlib, sys; sys.path.insert(0, sys.argv[1]); from harness import setup; "
              "from harness.suite import is_ours; suite = importlib.import_module('harness.suites.' + sys.argv[2]); "
              "setup.build([side for group in suite.GROUPS for side in group.sides.values() if is_ours(side)])")
    setup.call(sys.executable, "-c", script, other / "Benchmarks", name)


def moved(command, other):
    return [other / word.relative_to(ROOT) if isinstance(word, Path) and word.is_relative_to(BENCHMARKS) else word
            for word in command]


def measure(case, other, rounds):
    work, unit, turns, command = case
    value, more_is_better = UNITS[unit]
    sides = {HERE: command, THERE: moved(command, other)}
    figures = {name: [] for name in sides}
    for turn in range(max(1, round(2 * rounds * turns))):
        # Whoever goes first finds another machine than who goes second.
        for name in (HERE, THERE) if turn % 2 == 0 else (THERE, HERE):
            engine.progress(f"{work}: {turn + 1}, {name}")
            figures[name].append(value(engine.run(sides[name])))
    engine.progress("")
    here, there = (statistics.median(figures[name]) for name in (HERE, THERE))
    ratios = sorted(a / b for a, b in zip(figures[HERE], figures[THERE]) if b)
    if not ratios:
        return work, engine.short(here), engine.short(there), unit, "–", "", ""
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    # Worse by more than a fiftieth in three turns of four: no noise does that.
    worse = high < 0.98 if more_is_better else low > 1.02
    better = low > 1.02 if more_is_better else high < 0.98
    return (work, engine.short(here), engine.short(there), unit, f"{statistics.median(ratios):.3f}",
            f"{low:.3f} … {high:.3f}", "WORSE" if worse else "better" if better else "same")
