"""Uses of the public interface, for mypy: see `test_typing.py`.

What must be refused is ignored, and mypy tells if it need not be.
"""

import asyncio
from typing import Dict, List, Optional, Union

import apus
from typing_extensions import assert_type


def half(n: int) -> float:
    return n / 2


def text(n: int, word: str = "") -> str:
    return word * n


def tell(done: int, failed: int, total: Optional[int]) -> None:
    print(done, failed, total)


def begin(count: int) -> None: ...


words: List[str] = []

with apus.Pool(2, begin, (1,), time_limit=1.5, retries=2, prepare=["json"], environment={"A": 1}) as pool:
    assert_type(pool, apus.Pool)
    assert_type(pool.map(half, range(3), progress=True), List[float])
    assert_type(pool.map(lambda n: [n], range(3)), List[List[int]])
    assert_type(pool.starmap(text, [(1, "a")], progress=tell), List[str])
    assert_type(pool.apply(text, (1,), {"word": "a"}), str)
    assert_type(pool.apply_async(half, (1,), callback=lambda value: print(value.is_integer())), apus.AsyncResult[float])
    assert_type(pool.apply_async(half, (1,)).get(timeout=3), float)
    assert_type(pool.map_async(half, [1], error_callback=print).get(), List[float])
    assert_type(pool.starmap_async(text, [(1,)]).successful(), bool)
    pool.map_async(half, [1]).cancel()
    results = pool.imap(half, iter([1]), 10)
    assert_type(results, apus.Results[float])
    assert_type(next(results), float)
    assert_type(results.next(timeout=1), float)
    assert_type(list(pool.imap_unordered(text, [1], time_limit=1)), List[str])
    assert_type(pool.pids, List[int])
    assert_type(pool.statistics, Dict[str, int])
    shared = pool.share({"a": 1})
    assert_type(shared, apus.Shared[Dict[str, int]])
    assert_type(shared.value["a"], int)
    pool.map(half, words)  # type: ignore[arg-type]
    pool.map(half, 3)  # type: ignore[arg-type]
    pool.map(half, [1], progress="yes")  # type: ignore[arg-type]
    pool.map(half, [1], patience=1)  # type: ignore[call-arg]
    pool.apply_async(half, (1,)).cancel("now")  # type: ignore[call-arg]

assert_type(apus.Pool(kind="thread"), apus.Pool)
apus.Pool(kind="fibre")  # type: ignore[arg-type]
assert_type(apus.cpu_count(), int)

with apus.Executor(2, initializer=begin, initargs=(1,), max_tasks_per_child=3) as executor:
    assert_type(executor.submit(text, 1, word="a"), apus.Future[str])
    assert_type(executor.submit(half, 1).result(), float)
    assert_type(list(executor.map(text, [1], ["a"], timeout=1, buffersize=3, progress=tell)), List[str])
    assert_type(executor.share(1).value, int)
    executor.submit(half)  # type: ignore[call-arg]
    executor.submit(half, "a")  # type: ignore[arg-type]
    executor.terminate_workers()


async def main() -> float:
    return await asyncio.get_running_loop().run_in_executor(apus.Executor(), half, 1)


state = apus.WorkerLocal[List[int]]()
state.set([1])
state.set("a")  # type: ignore[arg-type]
assert_type(state.get(), List[int])
assert_type(state.get(None), Union[List[int], None])
worker = apus.current_worker()
if worker is not None:
    assert_type(worker.number + worker.attempt, int)

try:
    pool.apply(half, (1,))
except apus.WorkerDied as error:
    assert_type(error.index, Optional[int])
    assert_type(error.signal, Optional[int])
    assert_type(error.stderr, str)
except (apus.TaskTimeout, apus.MemoryLimitExceeded, apus.TaskCancelled, apus.TaskExited, apus.EncodingError) as known:
    assert_type(known.index, Optional[int])
except (apus.PoolClosed, apus.PoolBroken, apus.TimeoutError):
    pass
apus.register_joblib()
