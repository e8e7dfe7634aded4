"""The guide's script: six calls of the naive `fib` on two workers, start included, and in a plain loop.

    fibonacci.py Apus 38            ->  {"seconds": 7.6, "count": 6, "sequential": 15.1}
    fibonacci.py TwoProcesses 38    the limit: two programs of their own, with the calls split so that both take as long
    fibonacci.py part 38 35         what each of these is
"""

import json
import subprocess
import sys
import time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def apus(inputs):
    import apus as multiprocessing

    return multiprocessing.Pool(2).map(fib, inputs)


def pool(inputs):
    import multiprocessing

    return multiprocessing.Pool(2).map(fib, inputs, chunksize=1)


def two_processes(inputs):
    # The longest first, each to the process with less to do.
    parts, costs = ([], []), [0, 0]
    for n in inputs:
        less = costs[1] < costs[0]
        parts[less].append(n)
        costs[less] += 1.618 ** n
    processes = [
        subprocess.Popen([sys.executable, __file__, "part", *map(str, part)], stdout=subprocess.PIPE) for part in parts]
    found = {}
    for part, process in zip(parts, processes):
        found.update(zip(part, json.loads(process.communicate()[0])))
    return [found[n] for n in inputs]


def timed(body, *arguments):
    start = time.perf_counter()
    found = body(*arguments)
    return time.perf_counter() - start, found


def main(kind, highest):
    inputs = range(highest, highest - 6, -1)
    sequential, expected = timed(lambda: [fib(n) for n in inputs])
    seconds, found = timed({"Apus": apus, "Pool": pool, "TwoProcesses": two_processes}[kind], inputs)
    assert found == expected
    print(json.dumps({"seconds": seconds, "count": len(inputs), "sequential": sequential}))


if __name__ == "__main__":
    if sys.argv[1] == "part":
        print(json.dumps([fib(int(word)) for word in sys.argv[2:]]))
    else:
        main(sys.argv[1], int(sys.argv[2]))
