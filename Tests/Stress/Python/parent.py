"""A program to be killed, or interrupted by ^C, while its workers are busy, idle, stopped, or all of that.

    parent.py mode=busy       prints READY once they are
"""

import os
import signal
import sys
import time

import apus


def spin(microseconds):
    end = time.perf_counter_ns() + 1000 * microseconds
    while time.perf_counter_ns() < end:
        pass


def fill(_):
    return bytes(2 << 20)


def main(mode, **_):
    pool = apus.Pool(3)
    if mode in ("idle", "stopped"):
        pool.map(time.sleep, [0.0005] * 12, chunksize=1)
    elif mode == "busy":
        keep = pool.map_async(spin, [300] * 1_000_000)
    else:
        # Busy with large values, one worker stopped and one on its way.
        keep = pool.imap(fill, range(1_000_000))
        next(keep)
    workers = pool.pids
    if mode == "stopped":
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
    if mode == "mixed":
        os.kill(workers[0], signal.SIGSTOP)
        os.kill(workers[-1], signal.SIGKILL)
    print("READY", flush=True)
    while True:
        time.sleep(60) if mode != "mixed" else next(keep)


main(**dict(word.split("=") for word in sys.argv[1:]))
