"""What arguments and results are when they arrive."""

import collections
import enum
import math
import os
import threading
import time

import pytest

import apus
from apus import _codec, _frames, _library, _plain


class Number(int):
    pass


class Level(enum.IntEnum):
    HIGH = 3


Point = collections.namedtuple("Point", "x y")

PLAIN = [
    0, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63), True, False, None, 0.0, -0.0, 1.5, math.inf, "",
    "text", "ä\u20ac\U0001f600", "a\0b", b"", b"\0\xff", (), (1,), ("text", 2.5, None), ((1, 2), (3, (4, 5))),
]
OTHER = [
    2**63, -(2**63) - 1, 10**400, "\udc80", Number(3), Level.HIGH, Point(1, 2), [1], {"a": 1}, {1}, bytearray(b"x"),
    1j, ..., range(3), "long" * 1000, b"long" * 1000,
    ((((((1,),),),),),), (1, [2]), int, len,
]


def same(*values):
    return values[0] if len(values) == 1 else values


def identical(one, other):
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.mark.parametrize("value", PLAIN + OTHER, ids=repr)
def test_values_arrive_as_they_were(pool, value):
    for found in (
        pool.apply(same, (value,)), pool.map(same, [value])[0], pool.map(same, [value] * 9)[-1],
        pool.map(same, [value], chunksize=1)[0], pool.starmap(same, [(value,)])[0], next(pool.imap(same, [value])),
        pool.apply_async(same, (value,)).get(), pool.apply(lambda *, name: name, (), {"name": value}),
        pool.apply(same, (value, 1))[0],
    ):
        assert identical(found, value)


def test_which_are_plain():
    for value in PLAIN:
        data = _codec.dump_values([value])
        assert identical(_codec.load_values(data)[0], value)
        assert identical(_codec.load_values(_codec.dump_values([value], 1))[0], value)
    for value in OTHER if _library.fast is not None else ():
        assert _plain.plain([value], 0, 1, 0) is None and _plain.plain_call((value,), {}) is None
        assert _plain.plain_call((), {"name": value}) is None
    for value in "no list", (1,), {1: 2}:
        assert _codec.load_values(_codec.dumps(value)) == value


def test_one_object_twice_stays_one(pool):
    shared = [1]
    one, other = pool.apply(same, (shared, shared))
    assert one is other
    first, second = pool.apply(lambda pair: (pair[0], pair[0]), ((shared, 2),))
    assert first is second


def test_a_frame_is_read_whatever_holds_it():
    buffers = []
    value = {"a": bytearray(b"x" * 100_000), "b": 1}
    data = _codec.dumps(value, buffers)
    assert not buffers  # bytearrays themselves are copied
    array = pytest.importorskip("numpy").arange(50_000)
    frame = _codec.dump_values([array, "text"])
    assert type(frame) is _frames.Frame
    pieces = frame.pieces(b"trailer")
    assert pieces.count == 5
    assert _codec.load_values(data) == value


def sometimes(value):
    if value == 70:
        raise ValueError(value)
    if value == 71:
        os._exit(1)
    if value == 72:
        return lambda: value
    return [value] if isinstance(value, int) and value % 5 == 0 else value


@pytest.mark.parametrize("chunksize", [None, 1, 3])
def test_plain_and_other_items_mixed(pool, chunksize):
    items = [i if i % 7 else [i] if i % 2 else {"n": i} for i in range(60)]
    expected = [[i] if isinstance(i, int) and i % 5 == 0 else i for i in items]
    assert pool.map(sometimes, items, chunksize) == expected
    assert pool.map(sometimes, tuple(items), chunksize) == expected
    assert pool.map(sometimes, range(50), chunksize) == [[i] if i % 5 == 0 else i for i in range(50)]
    for value, kind in (70, ValueError), (71, apus.WorkerDied):
        with pytest.raises(kind):
            pool.map(sometimes, [*items, value, *items], chunksize)
    with pytest.raises(apus.EncodingError):
        pool.map(sometimes, [*items, threading.Lock(), *items], chunksize)
    assert pool.map(sometimes, [72, 3], chunksize)[0]() == 72
    assert pool.map(sometimes, [], chunksize) == []
    found = []
    results = pool.imap_unordered(sometimes, [*items, 70, 71], chunksize or 1)
    while len(found) < 62:
        try:
            found.append(next(results))
        except (ValueError, apus.WorkerDied) as error:
            found.append(type(error))
    assert ValueError in found and apus.WorkerDied in found


def test_what_is_printed_comes_before_results(capfd):
    with apus.Pool(1) as pool:
        for n in range(20):
            pool.apply(print, (n,))
            pool.map(print, [n], chunksize=1)
            assert capfd.readouterr().out == f"{n}\n{n}\n"


def test_a_long_task_holds_nothing_back(pool):
    """A group whose size was guessed is handed back in part, and the rest goes to others."""
    pool.map(abs, range(100_000))
    found = pool.map(lambda n: time.sleep(0.02 if n < 40 else 0) or n, range(3_000))
    assert found == list(range(3_000))
