"""What `multiprocessing.Pool` promises."""

import multiprocessing
import os
import signal
import time

import pytest

import apus


pytestmark = pytest.mark.short


def square(n):
    return n * n


def add(a, b=0):
    return a + b


def fail_at_three(n):
    if n == 3:
        raise ValueError("three")
    return n


def test_apply(pool):
    assert pool.apply(square, (7,)) == 49
    assert pool.apply(add, (1,), {"b": 2}) == 3
    assert pool.apply(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="three"):
        pool.apply(fail_at_three, (3,))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100, 30_000])
@pytest.mark.parametrize("chunksize", [None, 1, 3, 1000])
def test_map(pool, count, chunksize):
    if count > 1000 and chunksize in (1, 3):
        count = 1000
    expected = [n * n for n in range(count)]
    assert pool.map(square, range(count), chunksize) == expected
    assert pool.map(square, iter(range(count)), chunksize) == expected
    assert list(pool.imap(square, range(count), chunksize or 1)) == expected
    assert sorted(pool.imap_unordered(square, range(count), chunksize or 1)) == expected


def same(value):
    return value


def die_at(value):
    if value == 50:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("chunksize", [1, 2, 7, 1024, 1025, 10**30])
def test_groups_that_are_plain_and_groups_that_are_not(pool, kind, chunksize):
    items = kind({i} if i % 500 == 13 else i for i in range(3000))
    assert pool.map(same, items, chunksize) == list(items)


@pytest.mark.parametrize("chunksize", [1, 7, 60, 100])
def test_a_death_in_a_group_is_one_tasks(chunksize):
    with apus.Pool(2) as pool:
        with pytest.raises(apus.WorkerDied) as caught:
            pool.map(die_at, range(120), chunksize)
        assert caught.value.index == 50


def test_starmap(pool):
    assert pool.starmap(add, [(1, 2), (3, 4)]) == [3, 7]
    assert pool.starmap(add, ((n, n) for n in range(50))) == [2 * n for n in range(50)]
    assert pool.starmap_async(add, [(1, 2)]).get() == [3]


@pytest.mark.parametrize("values", [["a", "bc"], [(1, "x"), (2.5, None)], [b"", b"\0"], [[1, [2]], {}], [1.5, -0.0]])
def test_kinds_of_values(pool, values):
    assert pool.map(list_of, values) == [[value] for value in values]


def list_of(value):
    return [value]


def test_exceptions_name_the_place_in_the_worker(pool):
    for call in (pool.map, lambda f, items: list(pool.imap(f, items)), lambda f, items: pool.map_async(f, items).get()):
        with pytest.raises(ValueError, match="three") as info:
            call(fail_at_three, range(8))
        assert "in fail_at_three" in str(info.value.__cause__)


def test_imap_goes_on_after_an_exception(pool):
    results = pool.imap(fail_at_three, range(6))
    found = []
    while True:
        try:
            found.append(next(results))
        except ValueError:
            found.append("bad")
        except StopIteration:
            break
    assert found == [0, 1, 2, "bad", 4, 5]


def test_imap_draws_as_it_goes(pool):
    drawn = []

    def endless():
        n = 0
        while True:
            drawn.append(n)
            yield n
            n += 1

    results = pool.imap(slowly, endless())
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(drawn) < 500
    results.close()


def slowly(n):
    time.sleep(0.005)
    return n


def raise_midway():
    yield 1
    yield 2
    raise KeyError("midway")


def test_inputs_that_raise(pool):
    with pytest.raises(KeyError, match="midway"):
        pool.map(square, raise_midway())
    for chunksize in (1, 2, 5):
        results = pool.imap(square, raise_midway(), chunksize)
        assert (next(results), next(results)) == (1, 4)
        with pytest.raises(KeyError, match="midway"):
            next(results)
    assert pool.map(square, [3]) == [9]


def test_async_results(pool):
    result = pool.apply_async(slowly, (5,))
    with pytest.raises(multiprocessing.TimeoutError):
        pool.apply_async(time.sleep, (1,)).get(timeout=0.01)
    assert result.get(timeout=10) == 5
    assert result.ready() and result.successful()
    failed = pool.apply_async(fail_at_three, (3,))
    failed.wait()
    assert failed.ready() and not failed.successful()
    waiting = pool.apply_async(time.sleep, (10,))
    assert not waiting.ready()
    with pytest.raises(ValueError, match="not ready"):
        waiting.successful()
    with pytest.raises(apus.TimeoutError):
        pool.map_async(time.sleep, [10]).get(0.01)


def test_many_async_results(pool):
    results = [pool.apply_async(square, (n,)) for n in range(500)]
    assert [result.get() for result in reversed(results)] == [n * n for n in reversed(range(500))]


def test_callbacks(pool):
    good, bad = [], []
    pool.apply_async(square, (3,), callback=good.append, error_callback=bad.append).get()
    with pytest.raises(ValueError):
        pool.apply_async(fail_at_three, (3,), callback=good.append, error_callback=bad.append).get()
    pool.map_async(square, range(3), callback=good.append).get()
    assert good == [9, [0, 1, 4]] and [type(error) for error in bad] == [ValueError]
    # Nobody waits for this one.
    pool.apply_async(square, (4,), callback=good.append)
    end = time.monotonic() + 20
    while len(good) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert good[2] == 16


state = None


def set_state(value):
    global state
    state = value


def get_state(_):
    return state


def test_initializer():
    with apus.Pool(2, set_state, ("set",)) as pool:
        assert pool.map(get_state, range(10)) == ["set"] * 10
    with pytest.raises(TypeError, match="initializer"):
        apus.Pool(1, 3)


def process(_):
    return os.getpid()


def test_maxtasksperchild():
    with apus.Pool(2, maxtasksperchild=2) as pool:
        assert len(set(pool.map(process, range(20), chunksize=1))) >= 10


def test_close_join_terminate():
    pool = apus.Pool(2)
    result = pool.map_async(slowly, range(40))
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    pool.close()
    pool.join()
    assert result.get() == list(range(40))
    for call in (lambda: pool.map(square, [1]), lambda: pool.apply_async(square, (1,)), pool.__enter__):
        with pytest.raises(ValueError, match="not running"):
            call()
    with apus.Pool(2) as pool:
        running = pool.apply_async(time.sleep, (100,))
        pool.terminate()
        pool.join()
        with pytest.raises(apus.PoolBroken):
            running.get()


@pytest.mark.parametrize("name", ["time_limit", "retries", "memory_limit", "start_timeout"])
def test_limits_that_are_none(name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        apus.Pool(1, **{name: -1})
    with pytest.raises(TypeError, match=f"{name} must be"):
        apus.Pool(1, **{name: "1"})


@pytest.mark.parametrize("prepare", [None, 7, [abs]])
def test_what_is_no_module(prepare):
    with pytest.raises(TypeError, match="prepare must be a function"):
        apus.Pool(1, prepare=prepare)
    with pytest.raises(ValueError, match="not the name of a module"):
        apus.Pool(1, prepare="./module.py")


def test_bad_arguments():
    for count in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            apus.Pool(count)
    with apus.Pool(1) as pool:
        with pytest.raises(ValueError, match="Chunksize"):
            list(pool.imap(square, [1], 0))
        with pytest.raises(TypeError, match="not callable"):
            pool.map(3, [1])
        with pytest.raises(apus.EncodingError, match="cannot be passed between processes"):
            pool.apply(list_of, (pool,))
    assert "state=TERMINATE pool_size=1" in repr(pool)
    for options, text in (
        ({"name": 5}, "name must be"), ({"environment": ["A=1"]}, "a mapping"), ({"environment": {"A": None}}, "no value"),
        ({"initializer": nothing, "initargs": 5}, r"\(5,\)"),
    ):
        with pytest.raises(TypeError, match=text):
            apus.Pool(1, **options)


def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_slow_tasks_behind_quick_ones_are_shared(pool):
    assert len(set(pool.map(nap, [0] * 5000 + [0.05] * 20)[5000:])) == 2


def nothing(*_):
    return None


def test_none_is_a_value(pool):
    assert pool.apply(nothing) is None
    assert pool.apply_async(nothing).get() is None
    assert pool.map(nothing, range(100)) == [None] * 100
    assert list(pool.imap(nothing, range(3))) == [None] * 3


def test_next_with_a_time(pool):
    results = pool.imap(nap, [0.5, 0])
    with pytest.raises(apus.TimeoutError):
        results.next(timeout=0.01)
    assert results.next(timeout=60) and results.next()
    with pytest.raises(StopIteration):
        results.next(1)
