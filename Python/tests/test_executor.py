"""What `concurrent.futures` promises, and the end of one running task."""

import asyncio
import concurrent.futures
import os
import time

import pytest

import apus
from conftest import eventually, is_gone


@pytest.fixture
def executor():
    with apus.Executor(2) as executor:
        yield executor


def square(n):
    return n * n


@pytest.mark.short
def test_submit(executor):
    assert isinstance(executor, concurrent.futures.Executor)
    futures = [executor.submit(pow, n, 2) for n in range(200)]
    assert [future.result() for future in futures] == [n * n for n in range(200)]
    assert {future.result() for future in concurrent.futures.as_completed(futures)} == {n * n for n in range(200)}
    failed = executor.submit(int, "x")
    assert isinstance(failed.exception(), ValueError)
    with pytest.raises(ValueError):
        failed.result()
    called = []
    executor.submit(square, 4).add_done_callback(lambda future: called.append(future.result()))
    assert eventually(lambda: called == [16])


@pytest.mark.short
def test_one_death_costs_one_task(executor):
    futures = [executor.submit(lambda n: os._exit(1) if n == 5 else n, n) for n in range(20)]
    for n, future in enumerate(futures):
        if n == 5:
            assert isinstance(future.exception(), apus.WorkerDied)
        else:
            assert future.result() == n


@pytest.mark.short
def test_cancel_ends_what_runs(executor):
    others = [executor.submit(time.sleep, 0.3) for _ in range(4)]
    concurrent.futures.wait(others)
    running = [executor.submit(hold) for _ in range(2)]
    assert eventually(lambda: all(future.running() for future in running))
    workers = executor._pool.pids
    assert running[0].cancel() and running[0].cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        running[0].result()
    assert executor.submit(square, 3).result() == 9
    assert eventually(lambda: sum(map(is_gone, workers)) == 1)
    assert running[1].running() and running[1].cancel()
    waiting = [executor.submit(square, n) for n in range(3)]
    assert [future.result() for future in waiting] == [0, 1, 4]
    assert not waiting[0].cancel()


def hold():
    time.sleep(100)


def test_asyncio_timeout_ends_the_task(executor):
    async def main():
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, square, 5) == 25
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(executor, hold), 0.3)

    asyncio.run(main())
    assert eventually(lambda: executor._pool.statistics["running"] == 0)
    assert executor.submit(square, 6).result() == 36


@pytest.mark.parametrize("buffersize", [None, 1, 3])
@pytest.mark.parametrize("chunksize", [1, 7])
def test_map(executor, chunksize, buffersize):
    assert list(executor.map(pow, range(50), [2] * 50, chunksize=chunksize, buffersize=buffersize)) == [
        n * n for n in range(50)]
    assert list(executor.map(square, [], buffersize=buffersize)) == []


def test_map_draws_no_more_than_asked(executor):
    drawn = []

    def items():
        for n in range(1000):
            drawn.append(n)
            yield n

    results = executor.map(square, items(), buffersize=5)
    assert [next(results) for _ in range(10)] == [n * n for n in range(10)]
    assert len(drawn) <= 15
    results.close()
    with pytest.raises(ValueError):
        executor.map(square, [1], buffersize=0)


def test_map_timeout(executor):
    results = executor.map(time.sleep, [100, 0], timeout=0.2)
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    assert executor.submit(square, 3).result() == 9


def test_shutdown():
    executor = apus.Executor(1)
    running = executor.submit(time.sleep, 0.5)
    waiting = [executor.submit(square, n) for n in range(5)]
    assert eventually(running.running)
    executor.shutdown(cancel_futures=True)
    assert running.result() is None and all(future.cancelled() for future in waiting)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 1)
    executor = apus.Executor(1)
    futures = [executor.submit(square, n) for n in range(5)]
    executor.shutdown(wait=False)
    assert [future.result() for future in futures] == [0, 1, 4, 9, 16]
    executor = apus.Executor(1)
    future = executor.submit(hold)
    executor.terminate_workers()
    assert isinstance(future.exception(), apus.PoolBroken)
    with pytest.raises(ValueError):
        apus.Executor(0)
