"""Tools that run commands side by side, seen from outside: how long the whole process takes, and its peak memory.

    programs.py MEASUREMENT TOOL COUNT [PATH OF apus]  →  {"seconds": …, "count": …}
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH = 2
# A megabyte of text, in lines.
MEGABYTE = "yes 0123456789012345678901234567890123456789012345678901234567890123 | head -c 1000000"


def apus(path, *words):
    return [path, "run", f"-j{WIDTH}", *words]


TOOLS = {
    "true": {
        "Apus": lambda path: apus(path, "--", "/bin/true", "{}"),
        "ApusShown": lambda path: apus(path, "--log", fresh("log"), "--", "/bin/true", "{}"),
        "xargs": lambda path: ["xargs", f"-P{WIDTH}", "-n1", "/bin/true"],
        "parallel": lambda path: ["parallel", f"-j{WIDTH}", "/bin/true"],
    },
    "output": {
        "Apus": lambda path: apus(path, "-k", "--", fresh("megabyte"), "{}"),
        "parallel": lambda path: ["parallel", "-k", f"-j{WIDTH}", fresh("megabyte")],
    },
    "lazy": {
        "Apus": lambda path: apus(path, "--stdin", "-n", "1000", "--", "/bin/true"),
        "xargs": lambda path: ["xargs", f"-P{WIDTH}", "-n1000", "/bin/true"],
    },
    "one": {
        "Apus": lambda path: [path, "run", "--", "/bin/true"],
        "parallel": lambda path: ["parallel", "/bin/true", ":::", "1"],
        "xargs": lambda path: ["xargs", "/bin/true"],
    },
}
folder = Path(tempfile.mkdtemp())


def fresh(name):
    path = folder / name
    if name == "megabyte":
        path.write_text(f"#!/bin/sh\n{MEGABYTE}\n")
        path.chmod(0o700)
    return str(path)


def run(command, inputs):
    """Seconds, and the peak memory of the tool and of all that it started: bytes."""
    with open(folder / "inputs", "w") as file:
        file.writelines(f"{i}\n" for i in range(inputs))
    with open(folder / "inputs") as source, open(os.devnull, "w") as sink:
        start = time.perf_counter()
        subprocess.run(command, stdin=source, stdout=sink, stderr=subprocess.DEVNULL, check=True)
        seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def main():
    measurement, tool, count, *path = sys.argv[1:]
    what, _, is_memory = measurement.partition("-")
    command = TOOLS[what][tool](path[0] if path else None)
    count = int(count)
    if what == "one":
        times = sorted(run(command, 1)[0] for _ in range(count))
        print(json.dumps({"seconds": times[count // 2], "count": 1}))
        return
    seconds, memory = run(command, count)
    print(json.dumps({"seconds": seconds, "count": memory if is_memory else count}))


main()
