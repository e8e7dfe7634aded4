"""Arrays and other large buffers, which travel beside the pickle."""

import array
import gc
import os
import pickle
import resource
import signal
import threading
import weakref

import pytest

import apus

np = pytest.importorskip("numpy")
LARGE = 40_000  # doubles: more than what is copied into a pickle


def same(value):
    return value


def twice(array):
    array *= 2
    return array


def described(array):
    return array.dtype.str, array.shape, array.flags.c_contiguous, array.flags.f_contiguous, array.flags.writeable


def resident(_):
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def arrays():
    numbers = np.arange(LARGE, dtype=float)
    yield "small", numbers[:10]
    yield "large", numbers
    yield "two dimensions", numbers.reshape(200, 200)
    yield "Fortran's order", np.asfortranarray(numbers.reshape(200, 200))
    yield "not contiguous", np.arange(2.0 * LARGE)[::2]
    yield "transposed", numbers.reshape(100, 400).T
    yield "no items", np.empty((0, 3))
    yield "no dimensions", np.array(3.5)
    yield "structured", np.zeros(LARGE, dtype=[("a", "i4"), ("b", "f8")])
    yield "objects", np.array([None, "text", (1, 2)] * LARGE, dtype=object)
    yield "texts", np.array(["some", "text"] * LARGE)
    yield "read-only", np.frombuffer(numbers.tobytes())
    yield "other byte order", numbers.astype(">f8")


@pytest.fixture(scope="module")
def pool():
    with apus.Pool(2) as pool:
        yield pool


@pytest.mark.parametrize("kind, value", list(arrays()), ids=lambda value: value if isinstance(value, str) else "")
def test_there_and_back(pool, kind, value):
    expected = described(pickle.loads(pickle.dumps(value, 5)))
    for found in (
        pool.apply(same, (value,)), pool.map(same, [value])[0], pool.map(same, [value], chunksize=1)[0],
        next(pool.imap(same, [value])), pool.apply_async(same, (value,)).get(), pool.starmap(same, [(value,)])[0],
        pool.apply(same, (), {"value": value}),
    ):
        assert found.dtype == value.dtype and described(found)[:4] == expected[:4]
        assert np.array_equal(found, value)


def test_what_comes_back_can_be_written_to(pool):
    for size in 10, 10_000, LARGE, 10 * LARGE:
        value = np.ones(size)
        for found in pool.apply(twice, (value,)), pool.map(twice, [value])[0]:
            found += 1
            assert (found == 3).all()
        assert (value == 1).all()


def test_many_of_many_sizes(pool):
    values = [np.full(size * 997, size, dtype=np.int32) for size in range(120)]
    for chunksize in None, 1, 7:
        found = pool.map(twice, values, chunksize)
        assert all(np.array_equal(one, 2 * other) for one, other in zip(found, values))
    assert sum(int(one.sum()) for one in pool.imap_unordered(twice, iter(values))) == 2 * sum(
        int(one.sum()) for one in values)


def test_several_in_one_task(pool):
    one, other = np.arange(LARGE), np.ones(2 * LARGE)
    found = pool.apply(same, ({"a": one, "b": [other, one], "c": "text"},))
    assert np.array_equal(found["a"], one) and np.array_equal(found["b"][0], other)
    assert found["b"][1] is found["a"]


def test_of_the_main_module(pool):
    class Holder:
        def __init__(self, values):
            self.values = values

    found = pool.apply(lambda holder: holder, (Holder(np.arange(LARGE)),))
    assert np.array_equal(found.values, np.arange(LARGE))


def test_other_buffers(pool):
    for value in bytes(300_000), bytearray(300_000), array.array("d", range(LARGE)), "text" * 100_000:
        assert pool.apply(same, (value,)) == value
    assert bytes(pool.apply(bytes, (pickle.PickleBuffer(bytearray(b"x" * 300_000)),))) == b"x" * 300_000


def dies_once(marker, array):
    if not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return array


def test_sent_again(tmp_path):
    with apus.Pool(2) as pool:
        values = [(str(tmp_path / str(i)), np.full(LARGE, i)) for i in range(4)]
        for chunksize in None, 1:
            found = pool.starmap(dies_once, values, chunksize, retries=5)
            assert [int(one[-1]) for one in found] == [0, 1, 2, 3]
            for marker, _ in values:
                os.unlink(marker)


def unpicklable(array):
    return array, lambda: None, threading.Lock()


def test_cannot_be_pickled(pool):
    with pytest.raises(apus.EncodingError):
        pool.map(unpicklable, [np.ones(LARGE)] * 3)
    with pytest.raises(apus.EncodingError):
        pool.map(same, [np.ones(LARGE), threading.Lock()])
    assert len(pool.map(same, [np.ones(LARGE)] * 3)) == 3


def test_outlives_the_pool():
    with apus.Pool(1) as pool:
        found = pool.map(same, [np.arange(LARGE)] * 5)
    del pool
    assert all(np.array_equal(one, np.arange(LARGE)) for one in found)


def test_memory_is_given_back(pool):
    value = np.ones(4 << 20)  # 32 MiB
    for _ in range(3):
        pool.map(same, [value] * 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20):
        pool.map(same, [value] * 2)
        pool.apply(same, (value,))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_memory_does_not_wait_for_the_collector(pool):
    """A call leaves no cycle that keeps an array, here or in the worker."""
    gc.disable()
    try:
        given = np.zeros(LARGE)
        found = pool.apply(twice, (given,))
        kept = weakref.ref(given), weakref.ref(found)
        del given, found
        assert [reference() for reference in kept] == [None, None]
        assert pool.apply(gc.disable) is None
        pool.map(same, [np.zeros(2_000_000)] * 4, 1)
        most = max(pool.map(resident, range(4), 1))
        pool.map(same, [np.zeros(2_000_000)] * 40, 1)
        assert max(pool.map(resident, range(4), 1)) < most + (64 << 20)
    finally:
        gc.enable()
