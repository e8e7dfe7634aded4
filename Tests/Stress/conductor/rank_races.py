"""What ranks have got wrong once, for many rounds, under our launcher and under MPI's."""

import random
import shutil

from .actor import Actor, judge
from .ranks import MPI_LAUNCHERS, MPI_SETTINGS, WATCHDOG, local

# Whether MPI has it, and what its ranks find in their environment. (Without single copies a payload comes long after its
# header; a program of a debug build can be told not to read other ranks' memory.)
RACES = {
    "given-up": (True, {}),
    "started-receives": (True, {"OMPI_MCA_btl_vader_single_copy_mechanism": "none"}),
    "deadlock": (False, {}),
    "deadlock in pieces": (False, {"APUS_NO_PROCESS_READ": "1"}),
}


def races(apus, program, seed, rounds, only=""):
    launchers = {"apus launch": (lambda ranks: local(apus, ranks), {})}
    for name, command in MPI_LAUNCHERS.items():
        if shutil.which(command[0]):
            launchers[name] = (lambda ranks, command=command: [*command, "-n", ranks], MPI_SETTINGS)
        else:
            print(f"  {name}: not installed")
    violations = []
    for race, (is_of_mpi, settings) in RACES.items():
        for name, (launcher, environment) in launchers.items():
            if only not in f"{name}, {race}" or not is_of_mpi and name != "apus launch":
                continue
            violations += run(program, seed, rounds, race, name, launcher, environment | settings)
    return violations


def run(program, seed, rounds, race, name, launcher, environment):
    chance = random.Random(seed)
    violations = []
    for ranks in [2, chance.randint(3, 4)]:
        settings = {"race": race.split()[0], "rounds": rounds}
        with Actor(program, seed, environment, launcher(ranks), **settings) as actor:
            for problem in judge(actor, WATCHDOG + rounds):
                violations.append(f"{race}, {name}, {ranks} ranks, APUS_SEED={seed}: {problem}")
                print(f"  {violations[-1]}", flush=True)
    print(f"  {race}, {name}: {rounds} rounds")
    return violations
