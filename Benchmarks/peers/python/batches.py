"""What is timed between two ranks: batches of 2 ms and more, the median; as `peers/mpi/measure.h` does in C."""

import json
import statistics
import time


def measure(work, count, size, *, rank, barrier, broadcast):
    """One line of JSON by rank 0. `work` is called with a number of rounds, each of `count` messages of `size` bytes."""

    def batch(rounds):
        barrier()
        start = time.perf_counter()
        work(rounds)
        return time.perf_counter() - start

    rounds, batches = 1, 0
    warm = time.perf_counter() + 0.1
    while batches == 0:
        seconds = min(batch(rounds) for _ in range(3))
        if seconds < 2e-3:
            rounds *= 2
        elif time.perf_counter() < warm:
            rounds = 1
        else:
            batches = min(max(int(0.6 / seconds), 11), 301)
        rounds, batches = broadcast((rounds, batches))
    seconds = statistics.median(batch(rounds) for _ in range(batches))
    if rank == 0:
        print(json.dumps({"seconds": seconds, "count": rounds * count, "bytes": rounds * count * size}))
