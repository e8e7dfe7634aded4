"""Random programs of ranks that talk, whose outcome every rank knows before: under our launcher, and under MPI's."""

import random
import shutil
import time

from .actor import Actor, judge

# For hangs only: each rank ends itself if one step takes ten minutes.
WATCHDOG = 900
# Of the others after a failure. They end by themselves, and a busy machine must not end them before.
GRACE = 600

# Open MPI refuses root, and more ranks than processors. MPICH spins, and with more ranks than processors takes
# thousands of times as long.
MPI_SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "MPIR_CVAR_POLLS_BEFORE_YIELD": "1",
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE": "true", "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT": "1",
}
MPI_LAUNCHERS = {"Open MPI": ["mpirun.openmpi", "--oversubscribe"], "MPICH": ["mpiexec.mpich"]}


def local(apus, ranks):
    return [apus, "launch", "--grace-period", GRACE, "-n", ranks, "--"]


def programs(apus, program, seed, seconds):
    return run(program, seed, seconds, "apus launch", lambda ranks: local(apus, ranks), most=8)


def mpi_programs(program, seed, seconds):
    violations = []
    for name, launcher in MPI_LAUNCHERS.items():
        if shutil.which(launcher[0]):
            violations += run(program, seed, seconds, name, lambda ranks: [*launcher, "-n", ranks], MPI_SETTINGS, most=4)
        else:
            print(f"  {name}: not installed")
    return violations


def run(program, seed, seconds, name, launcher, environment=None, most=8):
    """Job after job, each with another number of ranks, until the time is up."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    violations, jobs, steps = [], 0, 0
    while jobs == 0 or time.monotonic() < end:
        ranks = chance.randint(2, most)
        settings = {"await": chance.choice(["yes", "no", "no"]),
                    "threads": chance.choice(["multiple", "one", "one", "one"]),
                    "seconds": min(3, max(1, round(end - time.monotonic())))}
        job_seed = chance.randrange(1 << 32)
        with Actor(program, job_seed, environment, launcher(ranks), **settings) as actor:
            problems = judge(actor, settings["seconds"] + WATCHDOG)
            steps += int(actor.figures.get("steps", 0))
        jobs += 1
        if problems:
            again = " ".join(f"{key}={value}" for key, value in settings.items())
            for problem in problems[:4]:
                violations.append(f"{name}, {ranks} ranks, APUS_SEED={job_seed} {again}: {problem}")
                print(f"  {violations[-1]}", flush=True)
    print(f"  {name}: {jobs} jobs of 2 to {most} ranks, {steps} steps")
    return violations
