"""What state that is there before the workers costs them: one measurement a run, one line of JSON.

    templates.py replaced Apus              from killing a worker to the next result, where imports take a second
    templates.py dictionary ApusWith        two workers' first results, where they have a dictionary of 1 GiB from the start
"""

import concurrent.futures.process
import json
import multiprocessing
import os
import signal
import statistics
import sys
import time

import apus

table = {}


def fill():
    """Twelve million small objects in a dictionary: more than 1 GiB."""
    table.update((n, float(n)) for n in range(12_000_000))
    with open("/proc/self/statm") as file:
        assert int(file.read().split()[1]) << 12 > 1 << 30


def look_up(n):
    time.sleep(0.001)  # so that one worker does not do them all
    return os.getpid(), table.get(n)


def has_imported(n):
    return n if "takes_a_second" in sys.modules else None


class Apus:
    def __init__(self):
        self.pool = apus.Pool(1, prepare=["takes_a_second"])

    def call(self):
        return self.pool.apply(has_imported, (5,))

    def kill(self):
        os.kill(self.pool.pids[0], signal.SIGKILL)


class Executor:
    """An executor whose worker dies is broken: one makes another, whose workers are forks of the program here."""

    def __init__(self):
        import takes_a_second  # noqa: F401

        self.make()

    def make(self):
        self.executor = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))

    def call(self):
        try:
            return self.executor.submit(has_imported, 5).result()
        except concurrent.futures.process.BrokenProcessPool:
            self.make()
            return self.call()

    def kill(self):
        os.kill(next(iter(self.executor._processes)), signal.SIGKILL)


def replaced(kind):
    library, times = globals()[kind](), []
    for _ in range(12):
        assert library.call() == 5
        start = time.perf_counter()
        library.kill()
        found = None
        while found is None:
            try:
                found = library.call()
            except apus.WorkerDied:
                pass  # it was given to the worker before its death was known
        times.append(time.perf_counter() - start)
        assert found == 5
    return {"seconds": statistics.median(times), "count": 1}


def forked():
    return multiprocessing.get_context("fork").Pool(2)


def forked_with():
    if not table:
        fill()
    return forked()


POOLS = {"Apus": lambda: apus.Pool(2), "ApusWith": lambda: apus.Pool(2, prepare=fill), "Pool": forked, "PoolWith": forked_with}


def dictionary(kind):
    times = []
    for _ in range(6):
        start = time.perf_counter()
        workers, seen = POOLS[kind](), {}
        while len(seen) < 2:
            seen.update(workers.map(look_up, [4_000_000] * 2, chunksize=1))
        times.append(time.perf_counter() - start)
        assert set(seen.values()) == {4e6 if kind.endswith("With") else None}
        workers.terminate()
        workers.join()
    # Not the first, for which the dictionary is filled.
    return {"seconds": statistics.median(times[1:]), "count": 1}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](sys.argv[2])))
