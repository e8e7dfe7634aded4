"""The pool script of a beginner's guide, with one import changed. It has no main guard, and never closes its pool."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import apus
from conftest import Run, eventually

pytestmark = pytest.mark.short

SCRIPT = """
import apus as multiprocessing

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

pool = multiprocessing.Pool()

print(pool.map(fib, [18, 17, 16, 15, 14, 13]))
"""
VALUES = "[2584, 1597, 987, 610, 377, 233]\n"

# The same, where a task ends its worker amid its calculation; the first time only, if it is to be tried again.
WITH_A_DEATH = """
import apus as multiprocessing
import os, signal

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def fib_or_die(n):
    first = fib(n - 1)
    if n == 16 and (always or not os.path.exists(mark)):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return first + fib(n - 2)

"""


def in_a_file(script, folder):
    path = folder / "script.py"
    path.write_text(script)
    return [str(path)], ""


def in_an_argument(script, _):
    return ["-c", script], ""


def on_standard_input(script, _):
    return ["-"], script


def in_a_notebook(script, _):
    pytest.importorskip("nbclient")
    return [str(Path(__file__).with_name("notebook.py"))], script


WAYS = [in_a_file, in_an_argument, on_standard_input, in_a_notebook]
ways = pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])


def outcome(way, script, folder):
    """What the script prints, once it is clear that it left nothing."""
    words, text = way(script, folder)
    with Run() as run:
        found = subprocess.run(
            [sys.executable, *words], input=text, capture_output=True, text=True, timeout=100, env=run.environment)
        assert eventually(run.has_left_nothing), run.left()
    assert (found.stderr, found.returncode) == ("", 0)
    return found.stdout


@ways
def test_it_runs_as_it_is(way, tmp_path):
    assert outcome(way, SCRIPT, tmp_path) == VALUES


@ways
def test_a_worker_is_killed_and_its_task_tried_again(way, tmp_path):
    script = WITH_A_DEATH + f"""
always, mark = False, {str(tmp_path / "mark")!r}
pool = multiprocessing.Pool(retries=1)

print(pool.map(fib_or_die, [18, 17, 16, 15, 14, 13]))
"""
    assert outcome(way, script, tmp_path) == VALUES
    assert (tmp_path / "mark").exists()


@ways
def test_a_worker_is_killed_and_its_task_fails_alone(way, tmp_path):
    script = WITH_A_DEATH + f"""
always, mark = True, {str(tmp_path / "mark")!r}
pool = multiprocessing.Pool()
results = pool.imap(fib_or_die, [18, 17, 16, 15, 14, 13])

for _ in range(6):
    try:
        print(next(results))
    except multiprocessing.WorkerDied as error:
        print(error.index, signal.Signals(error.signal).name)
"""
    assert outcome(way, script, tmp_path).split("\n") == ["2584", "1597", "2 SIGKILL", "610", "377", "233", ""]


@pytest.mark.parametrize("way", WAYS[:3], ids=[way.__name__ for way in WAYS[:3]])
def test_the_program_is_killed(way, tmp_path):
    words, text = way(SCRIPT.replace("18", "60"), tmp_path)
    with Run() as run:
        program = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, env=run.environment)
        program.stdin.write(text.encode())
        program.stdin.close()
        # It, a template, and its workers.
        assert eventually(lambda: len(run.processes()) == 2 + apus.cpu_count())
        program.send_signal(signal.SIGKILL)
        program.wait()
        assert eventually(run.has_left_nothing), run.left()
