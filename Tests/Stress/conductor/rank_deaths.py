"""A rank dies in the middle of random programs: the others end with an error that names it, and nothing is left."""

import os
import random
import re
import signal
import statistics
import time

from . import processes
from .actor import Actor
from .ranks import local

HUNG = 900  # s: a wait that long is for ever; the launcher ends the others before

# How it dies, what the launcher's exit status is then, and how often of ten.
WAYS = {
    "SIGKILL": (128 + signal.SIGKILL, 5), "SIGSEGV": (128 + signal.SIGSEGV, 1),
    # By itself: `exit(5)`, `_exit(0)`, a trap, a bad address.
    "exit": (5, 1), "leave": (1, 1), "trap": (None, 1), "segv": (128 + signal.SIGSEGV, 1),
}


def deaths(apus, program, seed, count):
    chance = random.Random(seed)
    violations, times, early = [], [], 0
    for number in range(count):
        way = chance.choices(list(WAYS), [weight for _, weight in WAYS.values()])[0]
        ranks = chance.randint(2, 8)
        job_seed = chance.randrange(1 << 32)
        death = Death(apus, program, job_seed, ranks, way, chance)
        times.append(death.milliseconds)
        early += not death.all_had_joined
        for problem in death.problems[:4]:
            violations.append(f"death {number}, {way} of one of {ranks} ranks, APUS_SEED={job_seed} "
                              f"{death.settings}: {problem}")
            print(f"  {violations[-1]}", flush=True)
    print(f"  {count} deaths, {early} of them before all had joined: all gone after {statistics.median(times):.0f} ms "
          f"(median), {max(times):.0f} ms at most")
    return violations


class Death:
    """One job, and the end of one of its ranks."""

    def __init__(self, apus, program, seed, ranks, way, chance):
        self.problems, self.all_had_joined = [], True
        self.ranks, self.way = ranks, way
        settings = {"await": chance.choice(["yes", "no", "no"])}
        if not way.startswith("SIG"):
            settings |= {"victim": chance.randrange(ranks), "way": way, "after": chance.randrange(60_000)}
        environment = {"SWIFT_BACKTRACE": "enable=no"}
        self.settings = " ".join(f"{name}={value}" for name, value in settings.items())
        with Actor(program, seed, environment, local(apus, ranks), **settings) as actor:
            victim = self.strike(actor, chance) if way.startswith("SIG") else None
            inodes = processes.shared_memory([actor.process.pid])
            start = time.monotonic()
            status = actor.wait(HUNG)
            self.milliseconds = (time.monotonic() - start) * 1000
            if status is None:
                self.problems.append(actor.hang(HUNG))
                return
            left = processes.Leftovers(actor.run, inodes)
            if left.lasting:
                self.problems.append(left.lasting)
            self.judge(actor, status, victim)

    def strike(self, actor, chance):
        """Kills some rank at some moment, maybe while they still join. Returns its process."""
        least = chance.choice([1, self.ranks, self.ranks, self.ranks])
        actor.wait_for(lambda: len(actor.found("PID")) >= least or actor.process.poll() is not None, HUNG)
        time.sleep(chance.random() ** 2 * 0.08)
        if not actor.found("PID"):
            self.problems.append("no rank has started")
            return None
        victim = int(chance.choice(actor.found("PID")))
        self.all_had_joined = len(actor.found("JOINED")) == self.ranks
        os.kill(victim, getattr(signal, self.way))
        return victim

    def judge(self, actor, status, victim):
        joined = {int(process): int(rank) for rank, process in map(str.split, actor.found("JOINED"))}
        said = actor.standard_error(20_000)
        self.problems += actor.found("VIOLATION")
        wanted, _ = WAYS[self.way]
        if status == 0 or wanted not in (None, status):
            self.problems.append(f"the launcher ended with {status}, not {wanted}: {said[-400:]}")
        named = re.search(r"rank (\d+) \(process (\d+)\)", said)
        if not named:
            self.problems.append(f"the launcher named no rank: {said[-400:]}")
            return
        rank, process = map(int, named.groups())
        if victim not in (None, process):
            self.problems.append(f"the launcher named process {process}, not {victim}: {said[-400:]}")
        told = actor.found("TOLD")
        wrong = [text for text in told if not text.startswith(f"rank {rank} has failed")]
        if wrong:
            self.problems.append(f"it was rank {rank}, and others were told: {wrong[0]}")
        survivors = len([other for other in joined.values() if other != rank])
        if len(told) < survivors:
            self.problems.append(f"{len(told)} of {survivors} ranks ended with the error: {actor.lines[-12:]}; {said[-400:]}")
