"""Calls that tell how far they are."""

import io
import sys

import pytest

import apus


def half(n):
    if n % 2:
        raise ValueError(n)
    return n


def identity(n):
    return n


CALLS = {
    "map": lambda pool, items, tell: pool.map(identity, items, progress=tell),
    "map in chunks": lambda pool, items, tell: pool.map(identity, items, 7, progress=tell),
    "starmap": lambda pool, items, tell: pool.starmap(identity, ((n,) for n in items), progress=tell),
    "map_async": lambda pool, items, tell: pool.map_async(identity, items, progress=tell).get(),
    "starmap_async": lambda pool, items, tell: pool.starmap_async(identity, [(n,) for n in items], progress=tell).get(),
    "imap": lambda pool, items, tell: list(pool.imap(identity, items, progress=tell)),
    "imap_unordered": lambda pool, items, tell: list(pool.imap_unordered(identity, items, progress=tell)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("count", [0, 1, 100])
def test_every_task_is_told_of(pool, name, count):
    told = []
    CALLS[name](pool, range(count), lambda *news: told.append(news))
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})
    assert {news[1:] for news in told} <= {(0, count)}
    assert not count or told[-1] == (count, 0, count)


def test_failures_are_counted(pool):
    told = []
    with pytest.raises(ValueError):
        pool.map(half, range(50), progress=lambda *news: told.append(news))
    assert told[-1] == (50, 25, 50)


def test_inputs_that_do_not_say_how_many(pool):
    told = []
    assert list(pool.imap(identity, iter(range(5)), progress=lambda *news: told.append(news))) == list(range(5))
    assert told[-1] == (5, 0, None)
    with apus.Executor(2) as executor:
        found = executor.map(pow, range(4), [2] * 3, progress=lambda *news: told.append(news))
        assert list(found) == [0, 1, 4] and told[-1] == (3, 0, 3)


def test_bar(pool, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert pool.map(identity, range(30), progress=True) == list(range(30))
    assert "100%" in sys.stderr.getvalue() and "30/30" in sys.stderr.getvalue()
    assert "failed" not in sys.stderr.getvalue()
    with pytest.raises(ValueError):
        pool.map(half, range(30), progress=True)
    assert "failed=15" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    results = pool.imap(identity, iter(range(100)), progress=True)
    assert next(results) == 0
    results.close()
    # What ends a bar.
    assert sys.stderr.getvalue().endswith("\n")


class NoTqdm:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "tqdm":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_without_tqdm(pool, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoTqdm, *sys.meta_path])
    with pytest.raises(ImportError, match="pip install tqdm"):
        pool.map(identity, [1], progress=True)
    assert pool.map(identity, [1]) == [1]


def test_a_teller_that_raises_ends_the_call(pool):
    def fail(*_):
        raise KeyError("teller")

    with pytest.raises(KeyError, match="teller"):
        pool.map(identity, range(1000), progress=fail)
    results = pool.imap(identity, range(1000), progress=fail)
    with pytest.raises(KeyError, match="teller"):
        next(results)
    with pytest.raises(KeyError, match="teller"):
        next(results)
    assert pool.map(identity, [1]) == [1]
    with pytest.raises(TypeError, match="progress must be True"):
        pool.map(identity, [1], progress="yes")
    assert pool.map(identity, [1], progress=False) == [1]
