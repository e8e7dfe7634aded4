"""What tasks see of their worker, and what workers keep."""

import os
import threading
import time

import pytest

import apus
from conftest import eventually

state = apus.WorkerLocal()


def begin(value):
    state.set([value])


def add(n):
    state.get().append(n)
    return os.getpid(), state.get()


def test_state_of_a_worker():
    with apus.Pool(2, begin, ("first",)) as pool:
        for process, values in pool.map(add, range(40), chunksize=1):
            assert values[0] == "first"
        last = dict(pool.map(add, range(40, 50), chunksize=1))
        assert sorted(n for values in last.values() for n in values[1:])
        assert pool.apply(lambda: apus.WorkerLocal().get("nothing")) == "nothing"
        with pytest.raises(LookupError, match="initializer"):
            pool.apply(lambda: apus.WorkerLocal().get())
    with pytest.raises(LookupError):
        state.get()


def test_state_of_a_main_module(tmp_path):
    """The object that the functions refer to is the same in a worker, though it travels by value."""
    import subprocess
    import sys

    script = tmp_path / "main.py"
    script.write_text(
        "import apus\n"
        "words = apus.WorkerLocal()\n"
        "def begin(word): words.set(word)\n"
        "def word(n): return words.get() * n\n"
        "print(apus.Pool(2, begin, ('a',)).map(word, range(4)))\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("['', 'a', 'aa', 'aaa']\n", "")


def die_until(attempt):
    if apus.current_worker().attempt < attempt:
        os._exit(1)
    return apus.current_worker().attempt


def test_number_and_attempt():
    assert apus.current_worker() is None
    with apus.Pool(3, retries=2) as pool:
        assert eventually(lambda: set(pool.map(number_after, [0.05] * 6, chunksize=1)) == {0, 1, 2})
        assert pool.map(die_until, [1, 3, 1, 2, 1]) == [1, 3, 1, 2, 1]
        assert pool.map(die_until, [3] * 5, chunksize=1) == [3] * 5
        assert pool.apply(die_until, (3,)) == 3
        assert pool.apply_async(die_until, (2,)).get() == 2
        # Those that come after it in the same worker are at their first.
        assert pool.map(die_until, [1] * 100) == [1] * 100
        with pytest.raises(apus.WorkerDied):
            pool.apply(die_until, (4,))


def number_after(seconds):
    time.sleep(seconds)
    return apus.current_worker().number


def test_a_thread_of_a_task_knows_its_worker():
    def ask():
        found = []
        thread = threading.Thread(target=lambda: found.append(apus.current_worker().number))
        thread.start()
        thread.join()
        return found

    with apus.Pool(1) as pool:
        assert pool.apply(ask) == [0]


class Counted:
    """Notes, in files, where it was unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return unpickled, (self.folder,)


def unpickled(folder):
    (folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    return Counted(folder)


def use(shared, n):
    return n, os.getpid(), type(shared.value).__name__, id(shared.value)


def test_an_object_is_sent_once(tmp_path):
    with apus.Pool(2) as pool:
        shared = pool.share(Counted(tmp_path))
        assert shared.value.folder == tmp_path
        found = pool.starmap(use, [(shared, n) for n in range(200)])
        found += pool.starmap(use, [(shared, n) for n in range(200)], chunksize=1)
        assert [pool.apply(use, (shared, n))[0] for n in range(5)] == list(range(5))
        assert {kind for _, _, kind, _ in found} == {"Counted"}
        assert len({(process, number) for _, process, _, number in found}) == len({one[1] for one in found})
        processes = [path.name.split("-")[0] for path in tmp_path.iterdir()]
        assert len(processes) == len(set(processes)) <= 2
        # A function refers to it, and a worker in the place of another one has it.
        with pytest.raises(apus.WorkerDied):
            pool.apply(os._exit, (1,))
        assert pool.map(lambda n: type(shared.value).__name__, range(20), chunksize=1) == ["Counted"] * 20
        # It comes back as what it is here.
        assert pool.apply(list, ([shared],))[0] is shared
        with apus.Executor(1) as executor:
            assert executor.submit(lambda it: it.value, executor.share(3)).result() == 3


def held(_):
    from apus import shared

    return len(shared._pickled) + len(shared._values)


def test_it_is_freed():
    with apus.Pool(1) as pool:
        for size in (10, 1 << 20, 40 << 20):
            shared = pool.share(b"x" * size)
            assert pool.apply(lambda it: len(it.value), (shared,)) == size
            assert pool.apply(held, (0,)) == 1
            del shared
            assert eventually(lambda: pool.apply(held, (0,)) == 0)
        # Many at a time, none of which a worker forgets for another one.
        many = [pool.share(n) for n in range(20)]
        assert pool.map(lambda n: many[n].value, range(20)) == list(range(20))
        assert pool.apply(held, (0,)) == 20
        del many
        assert eventually(lambda: pool.apply(held, (0,)) == 0)


def test_a_call_that_has_begun_keeps_it():
    def late(it, seconds):
        time.sleep(seconds)
        return it.value

    with apus.Pool(1) as pool:
        results = [pool.apply_async(late, (pool.share(n), 0.2)) for n in range(4)]
        results.append(pool.map_async(lambda n, it=pool.share("s"): it.value * n, range(3)))
        assert [result.get() for result in results] == [0, 1, 2, 3, ["", "s", "ss"]]


def test_what_no_worker_has_memory_for():
    large = b"x" * (200 << 20)
    with apus.Pool(2, memory_limit=60 << 20) as pool:
        shared = pool.share(large)
        with pytest.raises(apus.MemoryLimitExceeded):
            pool.map(time.sleep, [0.5] * 3)
        del shared
        assert pool.apply(abs, (-1,)) == 1
        with pytest.raises(apus.MemoryLimitExceeded):
            pool.map(lambda n: time.sleep(0.5) or len(large), range(3))
        assert pool.apply(abs, (-1,)) == 1


def test_what_can_not_be_shared(pool):
    with pytest.raises(apus.EncodingError, match="object to share"):
        pool.share(threading.Lock())
    with apus.Pool(1) as other:
        with pytest.raises(LookupError, match="its pool is another one"):
            pool.apply(lambda it: it.value, (other.share(1),))
    with pytest.raises(apus.PoolClosed):
        other.share(1)

    class Bad:
        def __reduce__(self):
            return int, ("x",)

    shared = pool.share(Bad())
    with pytest.raises(apus.EncodingError, match="can't unpickle the shared object: ValueError"):
        pool.apply(lambda: shared.value)
    assert pool.apply(abs, (-1,)) == 1


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_an_initializer_that_fails_says_what_it_raised(kind):
    with apus.Pool(1, initializer=open, initargs=("/no/such/file",), kind=kind) as pool:
        with pytest.raises(apus.PoolBroken, match="initializer.* raised FileNotFoundError: .*/no/such/file"):
            pool.map(abs, [1])
