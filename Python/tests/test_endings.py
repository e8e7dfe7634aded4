"""What becomes of calls that nobody waits for, and of pools that nobody holds."""

import gc
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import apus
from conftest import eventually, is_gone


def run(program, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=100, **options)


def test_a_task_whose_result_nobody_wants_is_done(tmp_path):
    pool = apus.Pool(2)
    for n in range(20):
        pool.apply_async((tmp_path / str(n)).touch)
    pool.close()
    pool.join()
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.parametrize("count", [0, 5, 500])
def test_iterators_outlive_close(count):
    pool = apus.Pool(2)
    ordered, unordered = pool.imap(abs, range(count)), pool.imap_unordered(abs, range(count), chunksize=3)
    pool.close()
    pool.join()
    assert list(ordered) == list(range(count)) and sorted(unordered) == list(range(count))
    with apus.Executor(2) as executor:
        results = executor.map(abs, range(count), buffersize=2)
    assert list(results) == list(range(count))


def test_a_pool_lives_as_long_as_its_results():
    assert list(apus.Pool(1).imap(abs, range(3))) == [0, 1, 2]
    assert list(apus.Executor(1).map(abs, range(3))) == [0, 1, 2]
    future = apus.Executor(1).submit(time.sleep, 0.3)
    gc.collect()
    assert future.result(timeout=60) is None


def test_a_pool_that_is_closed_and_dropped_ends(tmp_path):
    called = []

    def work():
        pool = apus.Pool(2)
        pool.apply_async(time.sleep, (0.2,), callback=called.append)
        pids = pool.map(lambda _: (time.sleep(0.01), os.getpid())[1], range(8), chunksize=1)
        pool.close()
        return set(pids)

    workers = work()
    gc.collect()
    assert eventually(lambda: all(map(is_gone, workers))) and called == [None]


@pytest.mark.short
def test_callbacks_come_whoever_waits(pool):
    called = []
    result = pool.apply_async(time.sleep, (0.3,), callback=called.append)
    with pytest.raises(apus.TimeoutError):
        result.get(0.05)
    assert eventually(lambda: called == [None])
    for n in range(30):
        assert pool.apply_async(abs, (-n,), callback=called.append).get() == n
    assert called[1:] == list(range(30)) and not pool._callbacks
    lock = threading.Lock()

    def with_lock(_):
        with lock:
            called.append("locked")

    with lock:
        result = pool.apply_async(abs, (1,), callback=with_lock)
        result.wait(0.2)
    assert result.get() == 1 and called[-1] == "locked"


def test_callbacks_that_fail(pool, capfd):
    def leave(_):
        sys.exit(3)

    pool.apply_async(abs, (1,), callback=leave).get()
    refused = []
    bad = pool.apply_async(abs, (threading.Lock(),), error_callback=refused.append)
    with pytest.raises(apus.EncodingError):
        bad.get()
    assert pool.apply_async(abs, (-2,), callback=refused.append).get() == 2
    assert type(refused[0]) is apus.EncodingError and refused[1] == 2


class ExitsHere:
    def __reduce__(self):
        return (leave_parent, (os.getpid(),))


def leave_parent(worker):
    if os.getpid() != worker:
        raise SystemExit(3)


def test_a_result_that_exits_as_it_is_unpickled():
    with apus.Executor(2) as executor:
        bad = executor.submit(ExitsHere)
        assert isinstance(bad.exception(timeout=60), apus.EncodingError)
        assert executor.submit(abs, -1).result(timeout=60) == 1


def test_what_can_not_be_submitted():
    with apus.Executor(1) as executor:
        assert isinstance(executor.submit(threading.Lock().acquire).exception(), apus.EncodingError)
        assert isinstance(executor.submit(abs, threading.Lock()).exception(), apus.EncodingError)
        assert isinstance(executor.submit(3).exception(), TypeError)


@pytest.mark.short
def test_several_threads_read_one_iterator(pool):
    results, found, lock = pool.imap_unordered(abs, range(3000)), [], threading.Lock()

    def read():
        for value in results:
            with lock:
                found.append(value)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(3000))


def test_inputs_that_read_their_own_results(pool):
    def inputs():
        for n in range(100):
            if n == 50:
                next(results)
            yield n

    results = pool.imap(abs, inputs())
    with pytest.raises(RuntimeError, match="its own inputs"):
        list(results)


class InterruptedOnce:
    def __init__(self):
        self.numbers = iter(range(1, 9))
        self.is_over = False

    def __iter__(self):
        return self

    def __next__(self):
        number = next(self.numbers)
        if number == 6 and not self.is_over:
            self.is_over = True
            self.numbers = iter([6, 7, 8])
            raise KeyboardInterrupt
        return number


def test_an_interrupt_as_inputs_are_drawn_loses_none(pool):
    try:
        results = pool.imap(abs, InterruptedOnce(), chunksize=9)
    except KeyboardInterrupt:
        return  # nobody has the iterator
    found = []
    while True:
        try:
            found.append(next(results))
        except KeyboardInterrupt:
            continue
        except StopIteration:
            break
    assert found == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_time_limit_is_a_tasks(pool):
    assert pool.map(time.sleep, [0.2] * 6, chunksize=6, time_limit=0.9) == [None] * 6


class Rude(Exception):
    def __reduce__(self):
        sys.exit(1)

    def __str__(self):
        sys.exit(2)


def test_an_exception_that_can_not_be_told(pool):
    def rude(n):
        if n == 2:
            raise Rude
        return n

    results, found = pool.imap(rude, range(6), chunksize=6), []
    for _ in range(6):
        try:
            found.append(next(results))
        except apus.RemoteError as error:
            found.append(error.index)
    assert found == [0, 1, 2, 3, 4, 5]


def test_no_task_runs_twice_for_a_result_that_can_not_be_pickled(pool, tmp_path):
    def work(n):
        with open(tmp_path / str(n), "a") as file:
            file.write("x")
        return threading.Lock() if n == 3 else n

    with pytest.raises(apus.EncodingError) as info:
        pool.map(work, range(10), chunksize=5)
    assert info.value.index == 3
    assert [(tmp_path / str(n)).read_text() for n in range(10)] == ["x"] * 10


def raise_timeout(n):
    if n == 1:
        raise TimeoutError("mine")
    return n


def test_a_tasks_own_timeout(pool):
    results = pool.imap(raise_timeout, range(3))
    assert results.next(60) == 0
    with pytest.raises(TimeoutError, match="mine"):
        results.next(60)
    assert results.next(60) == 2


def test_what_was_submitted_is_done_before_the_program_ends(tmp_path):
    for end in ("", "executor.shutdown(wait=False)"):
        found = run(f"""
            import apus, pathlib, time
            def work(n):
                time.sleep(0.2)
                pathlib.Path({str(tmp_path)!r}, str(n)).touch()
            executor = apus.Executor(2)
            for n in range(4):
                executor.submit(work, n)
            {end}
            """)
        assert (found.returncode, found.stderr) == (0, "")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "3"]
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_pool_in_what_is_prepared(tmp_path):
    (tmp_path / "bomb.py").write_text("import apus\npool = apus.Pool(1, prepare='bomb')\n")
    found = run("import bomb\nbomb.pool.map(abs, [1])", cwd=tmp_path)
    assert found.returncode == 1 and "while a worker imports this module" in found.stderr


@pytest.mark.short
def test_files_of_what_is_prepared(tmp_path):
    found = run("""
        import apus, os, tempfile
        files = []

        def prepare():
            for _ in range(3):
                files.append(tempfile.TemporaryFile())
                files[-1].write(b"%d" % len(files))
                files[-1].flush()
            files.append(tempfile.TemporaryDirectory())

        def look(_):
            for file in files[:3]:
                file.seek(0)
            return [file.read() for file in files[:3]] + [os.path.isdir(files[3].name)]

        with apus.Pool(1, prepare=prepare, maxtasksperchild=1) as pool:
            assert pool.map(look, range(4), chunksize=1) == [[b"1", b"2", b"3", True]] * 4
        """)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.short
def test_a_worker_ends_in_good_order(tmp_path):
    def work():
        import atexit
        import threading

        atexit.register((tmp_path / "handler").touch)
        threading.Timer(0.2, (tmp_path / "thread").touch).start()

    for start in ("template", "fresh"):
        pool = apus.Pool(1, start=start)
        pool.apply(work)
        pool.close()
        pool.join()
        for name in ("handler", "thread"):
            (tmp_path / name).unlink()


def test_a_template_that_failed_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "prepared.py").write_text("raise RuntimeError('broken')")
    with apus.Pool(1, prepare="prepared") as pool:
        with pytest.raises(apus.PoolBroken):
            pool.apply(abs, (1,))
    (tmp_path / "prepared.py").write_text("value = 5")
    with apus.Pool(1, prepare="prepared") as pool:
        assert pool.apply(lambda: sys.modules["prepared"].value) == 5
    with apus.Pool(1, prepare=lambda: time.sleep(100), start_timeout=0.3) as pool:
        with pytest.raises(apus.PoolBroken, match="ready"):
            pool.apply(abs, (1,))


@pytest.mark.parametrize("seconds", [0, 2])
def test_a_template_that_is_stopped_holds_up_nobody(seconds):
    with apus.Pool(2) as pool:
        template = pool.apply(os.getppid)
        os.kill(template, signal.SIGSTOP)
        worker = pool.apply(os.getpid)
        with open(os.pidfd_open(worker)) as end:
            os.kill(worker, signal.SIGKILL)
            select.select([end], [], [])  # or it might begin a task first
        # The other worker, the template's child as well, is not ended with it, though it does not answer.
        assert pool.map(lambda value: time.sleep(seconds) or value, range(3)) == [0, 1, 2]
        ticks = []
        thread = threading.Thread(target=lambda: [(ticks.append(1), time.sleep(0.01)) for _ in range(50)])
        thread.start()
        pool.statistics
        thread.join()
        assert pool.statistics["restarts"] == 1
        os.kill(template, signal.SIGCONT)
        assert pool.map(abs, range(5)) == [0, 1, 2, 3, 4]
    assert is_gone(template)
