"""Whatever a task does, it is that task's error, and no other's."""

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import apus
from conftest import eventually, is_gone


def segfault():
    ctypes.string_at(0)


def recurse():
    def down(n):
        return down(n + 1) + 1

    return down(0)


WAYS = {
    "exit": (lambda: os._exit(3), apus.WorkerDied, "exit code 3"),
    "segfault": (segfault, apus.WorkerDied, "SIGSEGV"),
    "kill": (lambda: os.kill(os.getpid(), signal.SIGKILL), apus.WorkerDied, "SIGKILL"),
    "abort": (os.abort, apus.WorkerDied, "SIGABRT"),
    "sys.exit": (lambda: sys.exit(4), apus.TaskExited, "SystemExit: 4"),
    "interrupt": (lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(1), apus.TaskExited, "KeyboardInterrupt"),
    "recursion": (recurse, RecursionError, "recursion"),
}


def do(way, n):
    if n == 5:
        WAYS[way][0]()
    return n


@pytest.mark.parametrize("chunksize", [None, 1, 4, 20])
@pytest.mark.parametrize("way", WAYS)
def test_one_task_fails(pool, way, chunksize):
    _, kind, text = WAYS[way]
    found = []
    results = pool.imap(lambda n: do(way, n), range(12), chunksize=chunksize or 1)
    while True:
        try:
            found.append(next(results))
        except StopIteration:
            break
        except kind as error:
            assert text in str(error)
            found.append("bad")
    assert found == [0, 1, 2, 3, 4, "bad", 6, 7, 8, 9, 10, 11]
    with pytest.raises(kind, match=text):
        pool.map(lambda n: do(way, n), range(12), chunksize)
    with pytest.raises(kind, match=text):
        pool.apply(do, (way, 5))
    assert pool.map(abs, range(10)) == list(range(10))


@pytest.mark.short
def test_a_loss_names_its_item(pool):
    for count, bad in ((1000, 777), (20_000, 12_345)):
        with pytest.raises(apus.WorkerDied) as info:
            pool.map(lambda n: os._exit(1) if n == bad else n, range(count))
        assert info.value.index == bad and info.value.exit_code == 1


@pytest.mark.parametrize("kind", [list, tuple, range])
@pytest.mark.parametrize("chunksize", [None, 1, 7])
def test_inputs_that_are_not_copied(pool, kind, chunksize):
    inputs = range(5000) if kind is range else kind([n if n % 1000 != 5 else {n} for n in range(5000)])
    assert pool.map(repr, inputs, chunksize) == list(map(repr, inputs))
    with pytest.raises(apus.WorkerDied) as info:
        pool.map(lambda n: os._exit(1) if n == 4321 else n, inputs, chunksize)
    assert info.value.index == 4321


def test_inputs_that_are_changed_meanwhile(pool):
    inputs = [0.01] * 1000
    threading.Timer(0.5, inputs.clear).start()
    with pytest.raises(RuntimeError, match="the inputs were changed"):
        pool.map(time.sleep, inputs)
    assert pool.map(abs, [-1]) == [1]


def test_standard_error_is_told(pool):
    def complain():
        print("nothing goes", file=sys.stderr)
        os._exit(9)

    with pytest.raises(apus.WorkerDied, match="nothing goes"):
        pool.apply(complain)


class BadPickle:
    def method(self, _):
        pass

    def __reduce__(self):
        raise RuntimeError("no pickle")


class BadUnpickle:
    def __reduce__(self):
        return (refuse, ())


def refuse():
    raise RuntimeError("no unpickle")


class DieUnpickle:
    def __reduce__(self):
        return (os._exit, (6,))


def make(kind):
    return lambda n: kind() if n == 2 else n


@pytest.mark.short
@pytest.mark.parametrize("chunksize", [None, 1, 5])
def test_what_can_not_be_pickled(pool, chunksize):
    def outcomes(function, items):
        results, found = pool.imap(function, items, chunksize or 1), []
        while True:
            try:
                found.append(next(results))
            except StopIteration:
                return found
            except apus.TaskError as error:
                found.append((type(error), error.index))

    expected = [0, 1, (apus.EncodingError, 2), 3, 4]
    assert outcomes(abs, [0, 1, BadPickle(), 3, 4]) == expected
    assert outcomes(int, [0, 1, BadUnpickle(), 3, 4]) == expected
    assert outcomes(make(BadPickle), range(5)) == expected
    assert outcomes(int, [0, 1, DieUnpickle(), 3, 4]) == [0, 1, (apus.WorkerDied, 2), 3, 4]
    with pytest.raises(apus.EncodingError, match="can't be pickled"):
        pool.map(BadPickle().method, [1])
    with pytest.raises(apus.EncodingError, match="can't be unpickled"):
        pool.apply(BadUnpickle)


class Picky(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


class Unpicklable(Exception):
    def __init__(self):
        self.lock = threading.Lock()


@pytest.mark.short
def test_exceptions_that_can_not_be_rebuilt(pool):
    def picky():
        raise Picky("a", "b")

    def unpicklable():
        raise Unpicklable

    for body, text in ((picky, "Picky: a b"), (unpicklable, "Unpicklable")):
        with pytest.raises(apus.RemoteError, match=text) as info:
            pool.apply(body)
        assert body.__name__ in str(info.value.__cause__)


@pytest.mark.short
def test_time_limit():
    with apus.Pool(2, time_limit=0.3) as pool:
        with pytest.raises(apus.TaskTimeout, match="0.3 s") as info:
            pool.map(lambda n: time.sleep(100) if n == 3 else n, range(8))
        assert info.value.index == 3 and isinstance(info.value, TimeoutError)
        assert pool.map(abs, range(8)) == list(range(8))
        with pytest.raises(apus.TaskTimeout):
            pool.apply(time.sleep, (100,))
    with apus.Pool(1) as pool:
        with pytest.raises(apus.TaskTimeout):
            pool.apply_async(time.sleep, (100,), time_limit=0.1).get()


def test_retries(tmp_path):
    def die_once(n):
        mark = tmp_path / str(n)
        if n % 3 == 0 and not mark.exists():
            mark.touch()
            os._exit(1)
        return n

    with apus.Pool(2, retries=1) as pool:
        assert pool.map(die_once, range(10)) == list(range(10))
        (tmp_path / "3").unlink()
        assert pool.apply(die_once, (3,)) == 3
        with pytest.raises(apus.WorkerDied):
            pool.map(os._exit, [1])


def test_memory_limit():
    with apus.Pool(2, memory_limit=200 << 20) as pool:
        with pytest.raises(apus.MemoryLimitExceeded, match="memory limit of 200 MiB"):
            pool.map(lambda n: len(bytearray(1 << 30)) if n == 2 else time.sleep(0.05), range(5))
        assert pool.map(abs, range(8)) == list(range(8))


@pytest.mark.short
def test_cancel(pool):
    result = pool.apply_async(time.sleep, (100,))
    assert eventually(lambda: pool.statistics["running"] == 1)
    result.cancel()
    with pytest.raises(apus.TaskCancelled):
        result.get()
    assert pool.apply(abs, (-1,)) == 1
    many = pool.map_async(time.sleep, [100] * 10)
    many.cancel()
    with pytest.raises(apus.TaskCancelled):
        many.get()


def test_an_initializer_that_fails():
    def fail():
        raise RuntimeError("not today")

    for body, text in ((fail, "not today"), (lambda: os._exit(5), "exit code 5")):
        with apus.Pool(2, body) as pool:
            with pytest.raises(apus.PoolBroken, match=text):
                pool.map(abs, range(4))


@pytest.mark.short
def test_a_fork_has_no_part_in_the_pool(pool):
    assert pool.map(abs, range(3)) == [0, 1, 2]
    given = [pool.apply_async(time.sleep, (1,)), pool.apply_async(time.sleep, (1,), callback=str)]
    given += [pool.map_async(time.sleep, [0.1] * 3), pool.imap(time.sleep, [0.1] * 3)]
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        refused = 0
        for call in [lambda: pool.map(abs, [1]), given[0].get, given[1].get, given[2].get, given[3].__next__]:
            try:
                call()
            except apus.PoolBroken as error:
                refused += "is a fork" in str(error)
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    assert given[0].get() is None and given[2].get() == list(given[3]) == [None] * 3
    assert pool.map(abs, range(3)) == [0, 1, 2]


def run(program, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], capture_output=True, text=True, timeout=100,
        **options)


def test_workers_end_with_the_program():
    for end in ("", "pool.close()", "del pool", "os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(3)", "1 / 0"):
        found = run(f"""
            import apus, os, signal, sys
            pool = apus.Pool(2)
            pool.map(abs, range(100))
            print(*pool.pids, flush=True)
            {end}
            """)
        workers = list(map(int, found.stdout.split()))
        assert len(workers) == 2
        assert eventually(lambda: all(map(is_gone, workers))), end


@pytest.mark.short
def test_interrupt_ends_a_wait():
    program = """
        import apus, time, sys
        pool = apus.Pool(2)
        pool.map(abs, range(10))
        print("ready", flush=True)
        pool.map(time.sleep, [100] * 4)
        """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
    assert child.returncode in (1, 130, -signal.SIGINT)
