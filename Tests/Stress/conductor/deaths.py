"""The parent is killed, or interrupted in a terminal: nothing is left, and soon."""

import os
import pty
import random
import re
import signal
import statistics
import time

from . import processes
from .actor import Actor

MODES = ["busy", "idle", "stopped", "mixed"]
HUNG = 60  # s: a wait that long is for ever


def parent_kills(program, seed, count, launcher=(), start=0.03):
    """SIGKILL to the parent at random instants of its life, its start of so many seconds included."""
    chance = random.Random(seed)
    violations, times, late = [], [], []
    for number in range(count):
        mode = MODES[number % len(MODES)]
        for attempt in range(3):
            left = kill_once(program, seed, mode, chance, launcher, start)
            times.append(left.milliseconds)
            if left.lasting or not left.late:
                break
            late.append(left.late)
        if left.lasting or left.late:
            violations.append(f"SIGKILL to a parent with {mode} workers: {left.lasting or left.late}")
    print(f"  {count} kills: all gone after {statistics.median(times):.0f} ms (median), {max(times):.0f} ms at most"
          + (f"; {len(late)} tried again, the machine being slow" if late else ""))
    return violations


def kill_once(program, seed, mode, chance, launcher, start):
    with Actor(program, seed, launcher=launcher, scenario="victim", mode=mode) as actor:
        if chance.random() < 0.5:
            actor.wait_for(lambda: "READY" in actor.lines or actor.process.poll() is not None, 30)
        time.sleep(chance.random() * start)
        inodes = processes.shared_memory([actor.process.pid])
        actor.process.kill()
        actor.process.wait()
        return processes.Leftovers(actor.run, inodes)


def one_line(said):
    return "more than a line" if len(said.splitlines()) > 1 else None


def one_traceback(said):
    return "no traceback, or several" if said.count(b"Traceback") != 1 else None


def interrupts(program, seed, count, launcher=(), complaint=one_line):
    """^C typed in a terminal."""
    violations, times = [], []
    for number in range(count):
        milliseconds, problems = interrupt_once(program, seed, MODES[number % len(MODES)], launcher, complaint)
        times.append(milliseconds)
        violations += problems
    if min(times) > 100:
        violations.append(f"^C: over after {min(times):.0f} ms at best")
    print(f"  {count} times ^C: over after {statistics.median(times):.0f} ms (median), "
          f"{min(times):.0f} to {max(times):.0f} ms")
    return violations


def interrupt_once(program, seed, mode, launcher, complaint):
    actor = Actor(program, seed, launcher=launcher, scenario="victim", mode=mode)
    pid, terminal = pty.fork()
    if pid == 0:
        # As in a shell at a terminal, also if these tests run in the background, where a shell ignores them.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        os.execve(actor.command[0], actor.command, actor.environment)
    output = b""
    try:
        # READY, or else it has ended: reading fails then.
        while b"READY" not in output:
            output += os.read(terminal, 4096)
        time.sleep(0.02)
        start = time.monotonic()
        os.write(terminal, b"\x03")
        ended = processes.ends(pid, HUNG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        left = processes.Leftovers(actor.run)
        milliseconds = (time.monotonic() - start) * 1000
        try:
            while piece := os.read(terminal, 4096):
                output += piece
        except OSError:
            pass  # Linux's way to say that the other side of a terminal is gone.
    finally:
        os.close(terminal)
        processes.kill(actor.run)
        actor.__exit__()
    problems = []
    if not ended:
        problems.append(f"^C with {mode} workers: not over after {HUNG} s")
    elif os.waitstatus_to_exitcode(status) != -signal.SIGINT:
        problems.append(f"^C with {mode} workers: ended with {os.waitstatus_to_exitcode(status)}, not by SIGINT")
    if left.lasting:
        problems.append(f"^C with {mode} workers: {left.lasting}")
    said = re.split(rb"READY\s*", output, maxsplit=1)[1].replace(b"^C", b"").strip()
    if what := complaint(said):
        problems.append(f"^C with {mode} workers: {what} was printed: {said[:200]}")
    return milliseconds, problems
