"""The sections that are one run of the program each."""

from .actor import Actor, judge


def one(program, seed, label, seconds, **settings):
    """Runs it, prints its figures, returns its violations. `seconds` is for hangs only."""
    with Actor(program, seed, **settings) as actor:
        violations = judge(actor, seconds)
        figures = actor.figures
    print(f"  {label}: " + (", ".join(f"{name} {value}" for name, value in figures.items()) or "no figures"))
    return [f"{label}: {problem}" for problem in violations]


def kills(program, seed, long):
    settings = {"tasks": 3_000_000, "kills": 600, "each": 110} if long else {"tasks": 200_000, "kills": 60, "each": 20}
    return one(program, seed, "tasks while workers are killed", 900 if long else 180, scenario="kills", **settings)


def laziness(program, seed, long):
    inputs = 10_000_000 if long else 500_000
    return one(
        program, seed, "lazy inputs", 600, scenario="laziness", inputs=200_000,
    ) + one(program, seed, f"memory over {inputs:,} inputs", 900 if long else 180, scenario="memory", inputs=inputs)


def races(program, seed, long, rounds=None, race=""):
    rounds = rounds or (3000 if long else 200)
    return one(
        program, seed, race or "moments that come by chance", 120 + rounds // 5, scenario="races", rounds=rounds,
        race=race)


def recycling(program, seed, long):
    return one(
        program, seed, "workers replaced every seven tasks", 900 if long else 300, scenario="recycling",
        tasks=10_000 if long else 1000)


def service(program, seed, long):
    seconds = 300 if long else 10
    return one(
        program, seed, "fifty callers whose tasks crash, hang and leak", seconds + 300, scenario="service",
        lasting=seconds)


def descriptors(program, seed, long):
    return one(
        program, seed, "pools made and ended", 300, scenario="descriptors", pools=1000 if long else 200)


def concurrency(program, seed, long):
    return one(
        program, seed, "callers at one pool", 900 if long else 300, scenario="concurrency", tasks=200, threads=16,
        steps=100 if long else 5)
