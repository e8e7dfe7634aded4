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
PEERS = ["multiprocessing.Pool", "ProcessPoolExecutor", "loky", "pebble"]
FAILURES = ["raise", "sys.exit", "os._exit", "SIGSEGV", "SIGKILL", "SIGSTOP", "endless loop", "endless recursion"]
MOMENTS = [
    "pickle argument", "unpickle argument", "import", "initialiser", "before pick-up", "call", "pickle result",
    "unpickle result", "destructor", "callback", "idle", "amid 20 MB",
]
# These happen in the program itself: what ends a process there ends the program.
IN_PROGRAM = {"pickle argument", "unpickle result", "callback"}
GENTLE = {"raise", "sys.exit", "endless recursion"}
# Signals from outside.
FROM_OUTSIDE = {"before pick-up": {"SIGKILL", "SIGSTOP"}, "idle": {"SIGKILL", "SIGSTOP"}}
# What the victim's value may survive.
HARMLESS = {"initialiser", "before pick-up", "idle", "callback", "destructor", "amid 20 MB"}
OTHERS = 11


def applies(failure, moment):
    if moment in IN_PROGRAM:
        return failure in GENTLE
    return failure in FROM_OUTSIDE.get(moment, FAILURES)


def run(python, library, failure, moment, limit):
    """The outcome: a dictionary, or "hangs", or what else the program came to."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [python, CELL, library, failure, moment, Path(folder, "mark")], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            output, errors = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return "hangs"
        finally:
            end_session(child.pid)
            child.communicate()
    try:
        return json.loads(output.strip().split("\n")[-1])
    except ValueError:
        return f"ends with {child.returncode}: {errors.strip()[-200:]}"


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
    """The violations of ours. Prints a table a library: a point where all is well."""
    violations = []
    cells = [(failure, moment) for moment in MOMENTS for failure in FAILURES
             if applies(failure, moment) and only in f"{failure}/{moment}"]
    for library in libraries:
        with concurrent.futures.ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as threads:
            futures = {cell: threads.submit(run, python, library, *cell, limit) for cell in cells}
            found = {cell: future.result() for cell, future in futures.items()}
        print(f"\n  {library}")
        for moment in MOMENTS:
            words = [(failure, problem(found[failure, moment], moment)) for failure in FAILURES
                     if (failure, moment) in found]
            if words:
                bad = [f"{failure}: {word}" for failure, word in words if word]
                print(f"    {moment:18} {'; '.join(bad) if bad else 'all well'}", flush=True)
                if library in OURS:
                    violations += [f"{library}, {moment}, {word}" for word in bad]
    return violations


def environment(folder, packages):
    """A Python with the package, and with the peers."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    return python


def versions(python, names):
    script = "import importlib.metadata as m, sys; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    return subprocess.run([python, "-c", script, *names], capture_output=True, text=True).stdout.strip()
