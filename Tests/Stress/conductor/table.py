"""The table: rows are ways to fail, columns moments."""

import concurrent.futures
import signal
import time

from . import processes
from .actor import Actor, judge

FAILURES = {
    "throw": "throw", "trap": "trap", "exit": "exit", "segv": "SIGSEGV", "kill": "SIGKILL", "stop": "SIGSTOP",
    "loop": "endless loop",
}
COLUMNS = [
    "encode argument", "decode argument", "worker start-up", "call", "encode result", "decode result", "idle",
    "middle of 20 MB", "start hook", "exit hook",
]
FORMS = ["async", "blocking"]
# A hang, not slowness: a cell takes some seconds at most.
WATCHDOG = 90


def cell(program, seed, failure, column):
    """The violations of a cell, and what it showed."""
    number = list(FAILURES).index(failure)
    problems, notes = [], []
    for form in FORMS:
        common = {"failure": failure, "form": form}
        if column in ("encode argument", "decode result"):
            moment = "encodeArgument" if column == "encode argument" else "decodeResult"
            problems += parent_side(program, seed, notes, **common, moment=moment)
        elif column == "worker start-up":
            plan = {"APUS_STRESS_START": f"{number}:{{folder}}/starts"}
            problems += worker_side(program, seed, plan, scenario="start-up", **common)
        elif column in ("start hook", "exit hook"):
            problems += worker_side(program, seed, scenario="hook", hook=column.split()[0], **common)
        elif column == "idle":
            problems += worker_side(program, seed, scenario="idle", **common)
        elif column == "middle of 20 MB":
            # A fresh mapping for each large block: the memory's growth shows how far the transfer is.
            plan = {"MALLOC_MMAP_THRESHOLD_": "1048576"}
            for transfer in ("argument", "result"):
                problems += worker_side(program, seed, plan, scenario="transfer", transfer=transfer, **common)
        else:
            moment = {"decode argument": "decodeArgument", "call": "call", "encode result": "encodeResult"}[column]
            problems += worker_side(program, seed, scenario="task", moment=moment, **common)
    return problems, notes


def worker_side(program, seed, environment=None, **settings):
    """The failure happens in a worker: the program itself judges what comes of it."""
    label = " ".join(settings[name] for name in ("transfer", "form") if name in settings)
    missed = []
    for limit in (1000, 1000, 8000, 8000):
        with Actor(program, seed, environment, limit=limit, **settings) as actor:
            problems = judge(actor, WATCHDOG)
            if problems:
                return [f"{label}: {problem}" for problem in problems]
            slow, missed = actor.found("SLOW"), actor.found("MISSED")
            if not slow and not missed:
                return []
        # Only a slow machine, or chance, if it is gone with a longer limit and another seed.
        seed += 1
    return [f"{label}: {problem}" for problem in (slow + missed)[:3]]


def parent_side(program, seed, notes, **settings):
    """The failure happens in the program that has the pool: it is seen from here."""
    problems = []
    for _ in range(3):
        with Actor(program, seed, scenario="parent-side", **settings) as actor:
            problems, late = look_at_parent(actor, settings["failure"], notes)
            if problems or not late:
                break
            problems = [late]  # unless it is in time when tried again: the limit is 100 ms, and machines are busy
    return [f"{settings['form']}: {problem}" for problem in problems]


def look_at_parent(actor, failure, notes):
    if failure in ("throw", "loop"):
        return judge(actor, WATCHDOG), ""
    if failure == "stop":
        if not actor.wait_for(lambda: processes.state(actor.process.pid) == "T", WATCHDOG):
            return [f"the program did not stop: {actor.standard_error()}"], ""
        time.sleep(0.3)
        actor.process.send_signal(signal.SIGCONT)
        return judge(actor, WATCHDOG), ""
    inodes = set()
    while actor.process.poll() is None and len(inodes) < 2:
        inodes |= processes.shared_memory([actor.process.pid])
    status = actor.wait(WATCHDOG)
    left = processes.Leftovers(actor.run, inodes)
    notes.append(left.milliseconds)
    wanted = {
        "trap": (-signal.SIGILL, -signal.SIGTRAP), "exit": (3,), "segv": (-signal.SIGSEGV,), "kill": (-signal.SIGKILL,),
    }[failure]
    problems = actor.found("VIOLATION")
    if status is None:
        problems.append(actor.hang(WATCHDOG))
    elif status not in wanted:
        problems.append(f"the program ended with {status}, not {wanted[0]}: {actor.standard_error()}")
    return problems + ([left.lasting] if left.lasting else []), left.late


def run(program, seed, at_once, only=""):
    """Prints the table. Returns its violations."""
    width = max(map(len, COLUMNS)) + 2
    print("".ljust(14) + "".join(column.ljust(width) for column in COLUMNS))
    violations, gone = [], []
    with concurrent.futures.ThreadPoolExecutor(at_once) as executor:
        cells = {
            (failure, column): executor.submit(cell, program, seed, failure, column)
            for failure in FAILURES for column in COLUMNS if only in f"{failure}/{column}"
        }
        for failure, name in FAILURES.items():
            row = name.ljust(14)
            for column in COLUMNS:
                if (failure, column) not in cells:
                    row += "-".ljust(width)
                    continue
                problems, notes = cells[failure, column].result()
                gone += notes
                row += ("FAILS" if problems else "holds").ljust(width)
                violations += [f"{name} × {column}, {problem}" for problem in problems[:4]]
            print(row, flush=True)
    if gone:
        print(f"  after the program's death its workers were gone within {max(gone):.0f} ms at most")
    return violations
