"""The Python package, and the pools of Python beside it: each way to fail at each moment."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

CELL = Path(__file__).resolve().parents[1] / "Python/cell.py"
OURS = ["apus.Pool", "apus.Executor"]
PEERS = ["multiprocessing.Pool", "ProcessPoolExecutor", "loky", "joblib", "pebble"]
FAILURES = ["raise", "sys.exit", "os._exit", "SIGSEGV", "SIGKILL", "SIGSTOP", "endless loop", "endless recursion"]
MOMENTS = [
    "pickle argument", "unpickle argument", "import", "initialiser", "before pick-up", "call", "pickle result",
    "unpickle result", "destructor", "callback", "idle", "amid 20 MB",
]
# These happen in the program itself: what ends a process there ends the program.
IN_PROGRAM = {"pickle argument", "unpickle result", "callback"}
GENTLE = {"raise", "sys.exit", "endless recursion"}
# What a library does not have.
WITHOUT = {"joblib": {"callback"}}
# What the victim's value may survive.
HARMLESS = {"initialiser", "before pick-up", "idle", "callback", "destructor", "amid 20 MB"}
OTHERS = 11


def applies(failure, moment):
    return failure in GENTLE or moment not in IN_PROGRAM


def run(python, library, failure, moment, limit):
    """The outcome: a dictionary, or "hangs", or what else the program came to."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        # Not pipes, whose end would be that of the last worker that is left.
        with open(output, "w") as out, open(errors, "w") as err:
            child = subprocess.Popen(
                [python, CELL, library, failure, moment, Path(folder, "mark")], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, start_new_session=True)
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            return "hangs"
        finally:
            end_session(child.pid)
            child.wait()
        try:
            return json.loads(output.read_text().strip().split("\n")[-1])
        except ValueError:
            return f"ends with {child.returncode}: {errors.read_text().strip()[-200:]}"


def end_session(session):
    """Whatever the cell has left: its session is its own."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == session:
                    os.kill(int(entry.name), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass


def problem(outcome, moment):
    if isinstance(outcome, str):
        return outcome
    if outcome["others"] < OTHERS:
        return f"{OTHERS - outcome['others']} others lost"
    if outcome["victim"] == "value" and moment not in HARMLESS:
        return "the victim has a value"
    return None


def matrix(python, libraries, limit, only=""):
    """What is wrong in each cell of each library, or None. Prints a table a library."""
    cells = [(failure, moment) for moment in MOMENTS for failure in FAILURES
             if applies(failure, moment) and only in f"{failure}/{moment}"]
    found = {}
    for library in libraries:
        with concurrent.futures.ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as threads:
            futures = {(failure, moment): threads.submit(run, python, library, failure, moment, limit)
                       for failure, moment in cells if moment not in WITHOUT.get(library, ())}
            found[library] = {cell: problem(future.result(), cell[1]) for cell, future in futures.items()}
        print(f"\n  {library}")
        for moment in MOMENTS:
            words = {failure: word for (failure, at), word in found[library].items() if at == moment}
            if words:
                bad = [f"{failure}: {word}" for failure, word in words.items() if word]
                print(f"    {moment:18} {'; '.join(bad) if bad else 'all well'}", flush=True)
    return found


def violations(found):
    return [f"{library}, {moment}, {failure}: {word}" for library in OURS for (failure, moment), word in found[library].items()
            if word]


def write_page(path, found, said):
    """The same as a page: how many ways to fail do what at each moment."""
    libraries = list(found)
    lines = [
        "# Ways to fail and moments to do so", "",
        "Twelve tasks on two workers; one of them fails in each of these ways, at each of these moments: "
        f"{', '.join(FAILURES)}. In a cell, in how many of these ways the program *hangs*, other tasks are *lost*, the task has a "
        "value although it *failed*, or the program *ends* before all are over. An empty cell: all is well. Written by "
        f"`Scripts/stress python --long`, with {said}.", "",
        f"| moment | {' | '.join(libraries)} |", "|---" * (len(libraries) + 1) + "|"]
    for moment in MOMENTS:
        cells = ([word for (_, at), word in found[library].items() if at == moment] for library in libraries)
        lines.append(f"| {moment} | {' | '.join(map(counts, cells))} |")
    cells = (found[library].values() for library in libraries)
    lines.append(f"| **all** | {' | '.join(map(counts, cells))} |")
    path.write_text("\n".join(lines) + "\n")


def counts(words):
    """'2 hang, 1 lost' of the words for problems."""
    kinds = {"hang": "hangs", "lost": " lost", "failed": "has a value", "ends": "ends with"}
    found = {kind: sum(text in word for word in words if word) for kind, text in kinds.items()}
    return ", ".join(f"{count} {kind}" for kind, count in found.items() if count)


def environment(folder, packages):
    """A Python with the package, and with the peers."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    return python


def versions(python, names):
    """Of Python, whose own pools are among the peers, and of packages."""
    script = ("import importlib.metadata as m, platform, sys; "
              "print(f'Python {platform.python_version()}', *(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')")
    return subprocess.run([python, "-c", script, *names], capture_output=True, text=True).stdout.strip()
