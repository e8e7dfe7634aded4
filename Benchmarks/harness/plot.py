"""Draws FOLDER/NAME.svg of FOLDER/NAME.json: how many times faster than the peers, how near the limits.

    plot.py NAME FOLDER
"""

import importlib
import json
import math
import sys
from pathlib import Path

import matplotlib

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.suite import UNITS, VARIANTS, parse  # noqa: E402

matplotlib.use("svg")
matplotlib.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "svg.hashsalt": "apus"})
from matplotlib import pyplot  # noqa: E402

INK, PALE, GRID = "#1f2430", "#6b7280", "#e5e7eb"
COLOURS = ["#c2334d", "#2e6f95", "#d98e04", "#3f8f6b", "#8d5a97", "#444444", "#00798c", "#a26769"]
LABELS = 190  # points


def advantage(row, value):
    """A ratio as how many times better ours is."""
    return value if UNITS[row["unit"]][1] else 1 / value


def target(row):
    return None if row["target"] is None else advantage(row, parse(row["target"]).limit(row["peer"]))


def times(value, _=None):
    return f"{value:,.0f}×" if value >= 10 else f"{value:.2g}×"


def panel(axes, rows, title, label_of, names, steps):
    """One line a label; on it a dot a peer, each a little lower than the one before."""
    labels = list(dict.fromkeys(map(label_of, rows)))
    spread = 0.6 if len(names) > 1 else 0
    shown = [value for row in rows for value in (advantage(row, row["ratio"]), target(row), 1) if value]
    least, most = min(shown) / 1.25, max(shown) * 2
    for row in rows:
        line = labels.index(label_of(row))
        index = names.index(row["peerName"]) if spread else 0
        height = line + spread * (index / max(1, len(names) - 1) - 0.5)
        colour = COLOURS[index] if spread else INK
        better = advantage(row, row["ratio"])
        if limit := target(row):
            axes.plot([limit] * 2, [height - 0.17, height + 0.17], color=colour, linewidth=2, solid_capstyle="butt")
            # To the right of the target's mark too, where that is near.
            place = limit if 0 < math.log(limit / better) < 0.06 * math.log(most / least) else better
            axes.annotate(times(better), (place, height), (7, 0), textcoords="offset points", va="center_baseline",
                          fontsize=8.5, color=colour, fontweight="bold",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})
        axes.scatter(better, height, s=40, color=colour, edgecolor="white", linewidth=0.8, zorder=3)
    for line in range(1, len(labels)):
        axes.axhline(line - 0.5, color=GRID, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(labels)), labels, color=INK)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xscale("log")
    ticks = [step * 10.0**power for power in range(-4, 7) for step in steps if least <= step * 10.0**power <= most]
    axes.set_xticks(ticks, map(times, ticks))
    axes.set_xticks([], minor=True)
    axes.set_xlim(least, most)
    axes.tick_params(length=0)
    axes.tick_params(axis="x", colors=PALE)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.axvline(1, color=PALE, linewidth=1)
    axes.set_frame_on(False)
    axes.set_axisbelow(True)
    axes.annotate(title, (0, 1), (-LABELS, 30 if spread else 10), xycoords="axes fraction",
                  textcoords="offset points", fontsize=11, fontweight="bold", color=INK)


def legend(axes, names):
    handles = [pyplot.Line2D([], [], marker="o", linestyle="", color=colour) for colour in COLOURS[:len(names)]]
    handles.append(pyplot.Line2D([], [], marker="|", linestyle="", markersize=11, markeredgewidth=2, color=PALE))
    axes.legend(handles, [*names, "target"], loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), frameon=False,
                borderaxespad=0.4, labelcolor=INK, fontsize=9, handletextpad=0, columnspacing=1.2)


def main(name, folder):
    suite = importlib.import_module(f"harness.suites.{name}")
    result = json.loads((folder / f"{name}.json").read_text())
    # Not ours against ours or in a variant, and not the works where the target limits ours alone.
    alone = {row["work"] for row in result["rows"] if row["target"] and parse(row["target"]).unit}
    rows = [row for row in result["rows"]
            if row["ratio"] and row["work"] not in alone and not row["work"].endswith(VARIANTS)]
    peers = [row for row in rows if row["peerName"] not in suite.FLOORS]
    limits = [row for row in rows if row["peerName"] in suite.FLOORS]
    names = list(dict.fromkeys(row["peerName"] for row in peers))
    sizes = [0.62 * len({row["work"] for row in peers}), 0.42 * len(limits)]
    if not all(sizes):
        return print("plot: too few rows for a plot", file=sys.stderr)

    note = suite.NOTE.splitlines() if suite.NOTE else []
    foot = 0.65 + 0.17 * len(note)
    height = sum(sizes) + 1.75 + foot
    figure, (upper, lower) = pyplot.subplots(2, figsize=(9, height), height_ratios=sizes)
    figure.subplots_adjust(left=LABELS / 72 / 9 + 0.015, right=0.985, top=1 - 0.75 / height, bottom=foot / height,
                           hspace=0.95 / (sum(sizes) / 2))
    panel(upper, peers, f"{suite.TITLE}: how many times faster than…", lambda row: row["work"], names, [1])
    legend(upper, names)
    panel(lower, limits, f"…and {suite.LIMITS}",
          lambda row: f"{row['work']}\nagainst {row['peerName']}", [], [1, 2, 5])
    versions = ", ".join(f"{key} {value}" for key, value in result["versions"].items())
    figure.text(0.015, 0.12 / height, f"{result['cpu']}, {result['cores']} cores; {versions}; {result['date']}",
                color=PALE, fontsize=7.5)
    for line, text in enumerate(reversed(note)):
        figure.text(0.015, (0.32 + 0.17 * line) / height, text, color=INK, fontsize=8)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
