"""Races of a pool over ranks that came once in many rounds: each scenario of MessageScenarios demands what must hold."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from .ranks import MPI_LAUNCHERS, MPI_SETTINGS, local

# Of one batch, which takes some seconds: a wait that long is for ever, however busy the machine is.
HUNG = 900  # s
# The scenario, its ranks, how many rounds make a batch, and how many batches run at once: in the first, tasks sleep. Not over
# MPI, whose ranks yield instead of sleeping: two batches at once take more than twice as long.
SCENARIOS = [("pool once", 3, 5000, 3 * len(os.sched_getaffinity(0))), ("pool beside messages", 2, 5000, 1)]


def run(apus, program, rounds, only=""):
    launchers = {"apus launch": (lambda ranks: local(apus, ranks), {})}
    for name, launcher in MPI_LAUNCHERS.items():
        if shutil.which(launcher[0]):
            launchers[name] = (lambda ranks, launcher=launcher: [*launcher, "-n", ranks], MPI_SETTINGS)
        else:
            print(f"  {name}: not installed")
    violations = []
    for name, (launcher, settings) in launchers.items():
        for scenario, ranks, most, jobs in SCENARIOS:
            if only not in f"{name}, {scenario}":
                continue
            start = time.monotonic()
            at_once = 1 if settings else jobs
            problem = batches([*launcher(ranks), program, scenario], settings, rounds, most, at_once)
            if problem:
                violations.append(f"{name}, {scenario}: {problem}")
                print(f"  {violations[-1]}", flush=True)
            print(f"  {name}, {scenario}: {rounds} rounds, {time.monotonic() - start:.0f} s", flush=True)
    return violations


def batches(command, settings, rounds, most, jobs):
    """What is wrong with the first batch that does not hold, if one does not."""
    environment = {**os.environ, **settings, "SWIFT_BACKTRACE": "enable=no"}

    def batch(start):
        words = [*map(str, command), str(min(most, rounds - start))]
        try:
            job = subprocess.run(words, env=environment, capture_output=True, text=True, errors="replace", timeout=HUNG)
        except subprocess.TimeoutExpired:
            return f"hangs in a batch from round {start} on"
        if job.returncode != 0:
            # What is wrong stands at the beginning, how the job ended at the end.
            said = job.stderr if len(job.stderr) < 1600 else f"{job.stderr[:1200]} … {job.stderr[-400:]}"
            return f"status {job.returncode} in a batch from round {start} on: {said}"
        return None

    with ThreadPoolExecutor(jobs) as pool:
        problems = pool.map(batch, range(0, rounds, most))
        problem = next(filter(None, problems), None)
        pool.shutdown(cancel_futures=True)
    return problem
