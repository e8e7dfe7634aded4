"""The peers of `PoolBenchmark`: one measurement a run, one line of JSON.

    pool.py each Pool 2 100000      ->  {"seconds": 1.9, "count": 100000}

The top imports little, because every spawned worker reads it again.
"""

import importlib
import json
import multiprocessing
import multiprocessing.pool  # loaded lazily otherwise, and its start-up would pay for it
import os
import statistics
import subprocess
import sys
import time


def noop(x):
    return x + 1


def exclaim(text):
    return text + "!"


def turn(pair):
    return pair[1], pair[0]


def echo(array):
    return array


def process_identifier_after_a_moment(_):
    time.sleep(0.001)  # so that one worker does not do them all: the same as in the Swift benchmark
    return os.getpid()


def best_chunk(inputs):
    """The fastest of those tried: Pool's own choice, four chunks a worker, is a tenth slower."""
    return -(-len(inputs) // 100)


class Library:
    @staticmethod
    def load():
        """Imports what the program needs. Those of Python's own are loaded above."""


class Pool(Library):
    """multiprocessing.Pool, forked: the default, and the fastest, of Python 3.11 on Linux."""

    method = "fork"
    # Whether what its workers come from is started with the first pool, and stays.
    warms_up = False

    def __init__(self, workers):
        self.pool = multiprocessing.get_context(self.method).Pool(workers)

    def call(self, function, argument):
        return self.pool.apply(function, (argument,))

    def map_each(self, function, inputs):
        return self.pool.map(function, inputs, chunksize=1)

    def map_chunks(self, function, inputs):
        return self.pool.map(function, inputs, chunksize=best_chunk(inputs))

    def close(self):
        self.pool.terminate()
        self.pool.join()


class SpawnPool(Pool):
    method = "spawn"


class ServerPool(Pool):
    method = "forkserver"
    warms_up = True


class Apus(Pool):
    """Ours, from Python: see the package in `Python/`."""

    start = "template"
    warms_up = True

    @staticmethod
    def load():
        import apus

        apus.Pool

    def __init__(self, workers):
        import apus

        self.pool = apus.Pool(workers, start=self.start)


class ApusFresh(Apus):
    """Each worker a new interpreter. What the program imports is there already, as it is of the peers."""

    start = "fresh"
    warms_up = False


class Executor(Library):
    """concurrent.futures.ProcessPoolExecutor, forked."""

    warms_up = False

    def __init__(self, workers):
        from concurrent.futures import ProcessPoolExecutor

        self.executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))

    def call(self, function, argument):
        return self.executor.submit(function, argument).result()

    def map_each(self, function, inputs):
        return list(self.executor.map(function, inputs, chunksize=1))

    def map_chunks(self, function, inputs):
        return list(self.executor.map(function, inputs, chunksize=best_chunk(inputs)))

    def close(self):
        self.executor.shutdown()


class Loky(Executor):
    def __init__(self, workers):
        from loky import ProcessPoolExecutor

        self.executor = ProcessPoolExecutor(workers)


class Joblib(Library):
    def __init__(self, workers):
        from joblib import Parallel, delayed

        self.delayed = delayed
        self.each = Parallel(n_jobs=workers, batch_size=1)
        self.chunks = Parallel(n_jobs=workers)  # batches of automatic size
        self.each.__enter__()
        self.chunks.__enter__()

    def call(self, function, argument):
        return self.each([self.delayed(function)(argument)])[0]

    def map_each(self, function, inputs):
        return self.each(self.delayed(function)(x) for x in inputs)

    def map_chunks(self, function, inputs):
        return self.chunks(self.delayed(function)(x) for x in inputs)

    def close(self):
        self.chunks.__exit__(None, None, None)
        self.each.__exit__(None, None, None)


class Bare:
    """No pool: interpreters that wait for a line, and do nothing."""

    def __init__(self, workers):
        command = [sys.executable, "-c", "input()"]
        self.processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(workers)]

    def map_each(self, _, inputs):
        time.sleep(0.1)
        return [process.pid for process in self.processes]

    def close(self):
        for process in self.processes:
            process.communicate(b"\n")


def median_seconds(work, repetitions):
    """The median of a few repetitions, after one that warms up."""
    work()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
        del result  # freeing it is not part of the time
    return statistics.median(times)


def use_every_worker(pool, workers):
    seen = set()
    while len(seen) < workers:
        seen.update(pool.map_each(process_identifier_after_a_moment, range(workers)))
    return seen


def call(library, workers, count):
    pool = library(workers)

    def calls():
        for i in range(count):
            assert pool.call(noop, i) == i + 1

    seconds = median_seconds(calls, repetitions=7)
    pool.close()
    return {"seconds": seconds, "count": count}


def mapped(library, workers, count, name):
    pool = library(workers)
    inputs = range(count)
    function = getattr(pool, name)
    assert function(noop, range(1000)) == list(range(1, 1001))
    seconds = median_seconds(lambda: function(noop, inputs), repetitions=3)
    pool.close()
    return {"seconds": seconds, "count": count}


def each(library, workers, count):
    return mapped(library, workers, count, "map_each")


def automatic(library, workers, count):
    return mapped(library, workers, count, "map_chunks")


# For a drop-in: what a program that passes no chunk size gets, and one that passes 100, for each kind of value.
KINDS = {"int": (noop, int), "str": (exclaim, str), "tuple": (turn, lambda i: (i, str(i)))}


def default_chunks(library, workers, count, chunk=None):
    """The slowest kind of value."""
    pool = library(workers)
    seconds = 0
    for function, kind in KINDS.values():
        inputs = list(map(kind, range(count)))
        assert pool.pool.map(function, inputs[:1000]) == list(map(function, inputs[:1000]))
        seconds = max(seconds, median_seconds(lambda: pool.pool.map(function, inputs, chunk), repetitions=3))
    pool.close()
    return {"seconds": seconds, "count": count}


def chunks_of_100(library, workers, count):
    return default_chunks(library, workers, count, 100)


def doubles(library, workers, mebibytes):
    import numpy

    pool = library(workers)
    array = numpy.arange(mebibytes << 17, dtype=numpy.float64)
    assert (pool.call(echo, array) == array).all()
    seconds = median_seconds(lambda: pool.call(echo, array), repetitions=3)
    pool.close()
    return {"seconds": seconds, "count": 2 * mebibytes << 20}


def startup(library, workers, _):
    library.load()
    if library.warms_up:
        first = library(workers)
        use_every_worker(first, workers)
        first.close()
    start = time.perf_counter()
    pool = library(workers)
    use_every_worker(pool, workers)
    seconds = time.perf_counter() - start
    pool.close()
    return {"seconds": seconds, "count": 1}


def memory(library, workers, _):
    pool = library(workers)
    processes = use_every_worker(pool, workers)
    time.sleep(0.2)
    kibibytes = []
    for process in processes:
        with open(f"/proc/{process}/smaps_rollup") as lines:
            kibibytes += [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    pool.close()
    return {"seconds": 0, "count": max(kibibytes) << 10}


def idle(library, workers, seconds):
    pool = library(workers)
    processes = [os.getpid(), *use_every_worker(pool, workers)]
    time.sleep(0.2)

    def cpu():  # the kernel's clock of a process, all its threads: see clock_getcpuclockid(3)
        return sum(time.clock_gettime((~process << 3) | 2) for process in processes)

    before, start = cpu(), time.perf_counter()
    time.sleep(seconds)
    result = {"seconds": time.perf_counter() - start, "count": 1, "cpu": cpu() - before}
    pool.close()
    return result


if __name__ == "__main__":
    measurement, library, workers, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    measurements = {f.__name__: f for f in (call, each, automatic, default_chunks, chunks_of_100, doubles, startup, memory, idle)}
    libraries = {kind.__name__: kind for kind in (Pool, SpawnPool, ServerPool, Executor, Loky, Joblib, Apus, ApusFresh, Bare)}
    modules = {"Executor": "concurrent.futures.process", "Loky": "loky", "Joblib": "joblib", "Apus": "apus.pool", "ApusFresh": "apus.pool"}
    if library in modules:
        importlib.import_module(modules[library])  # now, so that no start-up pays for it
    print(json.dumps(measurements[measurement](libraries[library], workers, count)))
