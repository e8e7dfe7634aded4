"""A pool of threads: the tests of the other pool, and what differs."""

import gc
import os
import subprocess
import sys
import threading
import time

import pytest

import apus
from conftest import eventually
from test_drop_in import (  # noqa: F401
    test_async_results, test_callbacks, test_close_join_terminate, test_imap_draws_as_it_goes,
    test_imap_goes_on_after_an_exception, test_inputs_that_raise, test_kinds_of_values, test_many_async_results,
    test_map, test_next_with_a_time, test_none_is_a_value, test_starmap)
from test_failures import test_a_fork_has_no_part_in_the_pool  # noqa: F401
from test_progress import (  # noqa: F401
    test_a_teller_that_raises_ends_the_call, test_bar, test_every_task_is_told_of, test_failures_are_counted)


@pytest.fixture
def pool():
    with apus.Pool(2, kind="thread") as pool:
        yield pool


def thread(_=None):
    return threading.get_ident()


def test_workers_are_threads(pool):
    assert isinstance(pool, apus.Pool)
    found = set(pool.map(thread, range(100), chunksize=1)) | {pool.apply(thread)}
    assert threading.get_ident() not in found and len(found) <= 2
    assert pool.apply(os.getpid) == os.getpid() and pool.pids == []
    lock = threading.Lock()
    assert pool.map(lambda lock: lock, [lock]) == [lock]
    assert pool.share(lock).value is lock
    assert pool.apply(int, ("12",), {"base": 8}) == 10


def test_state_of_a_worker():
    state = apus.WorkerLocal()
    with apus.Pool(2, lambda: state.set(threading.get_ident()), kind="thread") as pool:
        assert all(pool.map(lambda _: state.get() == threading.get_ident(), range(50), chunksize=1))
        assert set(pool.map(lambda _: apus.current_worker().number, range(50), chunksize=1)) <= {0, 1}
        assert pool.apply(lambda: apus.current_worker().attempt) == 1
    assert apus.current_worker() is None
    with pytest.raises(LookupError):
        state.get()


@pytest.mark.parametrize("option", [
    {"time_limit": 1}, {"memory_limit": 1 << 30}, {"maxtasksperchild": 3}, {"start": "fresh"}, {"prepare": ["json"]},
    {"environment": {"A": "b"}}])
def test_what_takes_processes(option):
    with pytest.raises(ValueError, match=f'{next(iter(option))} is for kind="process": '):
        apus.Pool(1, kind="thread", **option)


def test_bad_arguments(pool):
    for call in (lambda: pool.map(abs, [1], time_limit=1), lambda: pool.apply_async(abs, (1,), time_limit=1),
                 lambda: pool.imap(abs, [1], time_limit=1)):
        with pytest.raises(ValueError, match="a thread can't be killed"):
            call()
    with pytest.raises(TypeError, match="unexpected keyword argument 'patience'"):
        apus.Pool(1, kind="thread", patience=3)
    with pytest.raises(ValueError, match="at least 1"):
        apus.Pool(0, kind="thread")
    with pytest.raises(TypeError, match="initargs must be"):
        apus.Pool(1, print, 3, kind="thread")
    with pytest.raises(ValueError, match="start_timeout must be more than 0"):
        apus.Pool(1, kind="thread", start_timeout=0)
    with pytest.raises(ValueError, match="kind must be"):
        apus.Pool(1, kind="fibre")
    with pytest.raises(TypeError, match="not callable"):
        pool.apply(3)
    with pytest.raises(ValueError, match="Chunksize"):
        pool.map(abs, [1], 0)
    with apus.Pool(1, kind="process") as other:
        assert other.apply(os.getpid) != os.getpid()


def test_exceptions_are_the_tasks_own(pool):
    error = KeyError("mine")

    def fail(n):
        if n == 3:
            raise error
        return n

    with pytest.raises(KeyError) as info:
        pool.map(fail, range(6))
    assert info.value is error
    with pytest.raises(apus.TaskExited) as info:
        pool.map(lambda n: sys.exit(n) if n == 4 else n, range(6))
    assert info.value.index == 4 and isinstance(info.value.__cause__, SystemExit)
    assert pool.map(fail, [1, 2]) == [1, 2]


def test_an_initializer_that_fails():
    with apus.Pool(2, lambda: 1 / 0, kind="thread") as pool:
        for call in (lambda: pool.map(abs, [1]), lambda: pool.apply(abs, (1,)), lambda: list(pool.imap(abs, [1]))):
            with pytest.raises(apus.PoolBroken, match="ZeroDivisionError"):
                call()


def test_an_initializer_that_does_not_end():
    gate = threading.Event()
    with apus.Pool(2, gate.wait, kind="thread", start_timeout=0.2) as pool:
        with pytest.raises(apus.PoolBroken, match="has not returned after 0.2 s"):
            pool.map(abs, range(9))
        gate.set()


def test_pools_in_their_own_tasks():
    with apus.Pool(1, kind="thread") as pool:
        def nested(n):
            items = range(-n, 0)
            return [
                pool.map(abs, items), list(pool.imap(abs, items)), pool.map_async(abs, items).get(),
                [pool.apply(abs, (-1,)), pool.apply_async(lambda: apus.current_worker().number).get()]]

        assert pool.map(nested, [2, 3]) == [[[2, 1]] * 3 + [[1, 0]], [[3, 2, 1]] * 3 + [[1, 0]]]


def test_cancel(pool):
    gate, begun = threading.Event(), threading.Semaphore(0)

    def wait(_=None):
        begun.release()
        gate.wait()

    running = [pool.apply_async(wait) for _ in range(2)]
    waiting, many = pool.apply_async(abs, (1,)), pool.map_async(abs, range(100))
    for _ in running:
        assert begun.acquire(timeout=60)
    for result in (running[0], waiting, many):
        result.cancel()
        with pytest.raises(apus.TaskCancelled):
            result.get(timeout=60)
    results = pool.imap(wait, range(10))
    results.close()
    with pytest.raises(apus.TaskCancelled):
        next(results)
    gate.set()
    assert running[1].get() is None
    assert pool.map(abs, range(-3, 0)) == [3, 2, 1]


def test_terminate_does_not_wait_for_tasks_that_run():
    gate, begun = threading.Event(), threading.Event()
    with apus.Pool(1, kind="thread") as pool:
        running = pool.apply_async(lambda: (begun.set(), gate.wait()))
        waiting, many = pool.apply_async(abs, (1,)), pool.map_async(abs, range(10))
        assert begun.wait(60)
    pool.join()
    for result in (running, waiting, many):
        with pytest.raises(apus.PoolClosed):
            result.get(timeout=60)
    found = pool.statistics
    assert found["queued"] == 0 and found["cancelled"] > 1 and found["running"] == 1
    gate.set()


def test_close_has_everything_done():
    pool = apus.Pool(2, kind="thread")
    results = pool.imap(abs, iter(range(-50, 0)))
    many, one = pool.map_async(abs, iter(range(-500, 0)), 1), pool.apply_async(abs, (-1,))
    pool.close()
    pool.join()
    assert list(results) == list(range(50, 0, -1))
    assert many.get() == list(range(500, 0, -1)) and one.get() == 1
    assert pool.statistics["succeeded"] == 551 and pool.statistics["queued"] == pool.statistics["running"] == 0


def test_threads_end_with_their_pool():
    before = threading.active_count()
    pool = apus.Pool(4, kind="thread")
    assert threading.active_count() == before + 4
    pool.map(abs, range(10))
    with pytest.warns(ResourceWarning):
        del pool
        gc.collect()
    assert eventually(lambda: threading.active_count() == before)


def test_a_program_ends_while_tasks_run():
    code = "import apus, time; p = apus.Pool(2, kind='thread'); p.map_async(time.sleep, [999]); p.apply(print, (1,))"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert time.monotonic() - started < 60
