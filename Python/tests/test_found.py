"""What reviews have found."""

import itertools
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import apus
from apus import _library, _plain


def run(program):
    """As a main module."""
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=100)
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


def test_what_can_not_be_iterated_leaves_nothing_open():
    with apus.Pool(1) as pool:
        with pytest.raises(TypeError):
            pool.imap(abs, 5)
        pool.close()
        pool.join()


def swapped(a, b):
    return b + a


def test_texts_are_arguments_too(pool):
    for _ in range(3):
        assert pool.starmap(swapped, ["ab", ["c", "d"], ("e", "f")], 1) == ["ba", "dc", "fe"]
        assert pool.starmap(swapped, ["ab"] * 50) == ["ba"] * 50


def test_a_name_that_is_set_later():
    run("""
        import apus
        def f(x): return helper(x)
        def outer():
            def g(x): return later(x)
            with apus.Pool(1) as pool:
                for function in f, g:
                    try: pool.map(function, [1])
                    except NameError: pass
                    else: raise AssertionError
                global helper
                helper = lambda x: x + 1
                later = lambda x: x + 2
                assert pool.map(f, [1]) == [2] and pool.map(g, [1]) == [3]
        outer()
        """)


def test_endless_inputs_that_can_not_be_pickled(pool):
    results = pool.imap(abs, itertools.repeat(threading.Lock()))
    for _ in range(3):
        with pytest.raises(apus.EncodingError):
            next(results)
    results.close()


def test_an_exception_of_the_main_module_changes_nothing():
    run("""
        import apus
        STATE = {}
        class E(Exception):
            def note(self): return STATE
        def bump(x): STATE["n"] = STATE.get("n", 0) + 1
        def bad(x): bump(x); raise E("x")
        def read(x): return dict(STATE)
        with apus.Pool(1) as pool:
            pool.apply(bump, (0,))
            try: pool.apply(bad, (0,))
            except E: pass
            assert pool.apply(read, (0,)) == {"n": 2}
        """)


def slow(n):
    time.sleep(0.01)
    return n


def test_a_list_that_changes_meanwhile(pool):
    items = list(range(50))
    result = pool.map_async(slow, items)
    items.clear()
    assert result.get() == list(range(50))
    items = list(range(50))
    assert pool.map(slow, items, progress=lambda *_: items.clear()) == list(range(50))


def test_a_timeout_while_another_thread_reads(pool):
    results = pool.imap(time.sleep, [60])
    reader = threading.Thread(target=lambda: pytest.raises(Exception, next, results), daemon=True)
    reader.start()
    time.sleep(0.2)
    with pytest.raises(apus.TimeoutError):
        results.next(timeout=0.1)
    pool.terminate()
    reader.join()


def test_what_is_shared_many_times_is_written_once():
    shared = ("x" * 1000,) * 50
    for _ in range(2):
        shared = (shared,) * 40
    assert _plain.plain([shared], 0, 1, 0) is None
    if _library.fast is not None:
        assert _plain.plain([("x" * 1000,) * 50], 0, 1, 0) is not None


def once_unpicklable(n):
    time.sleep(0.02)
    with open(f"{n[0]}/{n[1]}", "a") as file:
        file.write("x")
    return threading.Lock() if n[1] == 40 else n


def test_a_result_that_can_not_be_pickled_is_tried_once(pool, tmp_path):
    pool.map(abs, range(50_000))
    with pytest.raises(apus.EncodingError):
        pool.map(once_unpicklable, [(str(tmp_path), n) for n in range(60)])
    assert {file.read_text() for file in tmp_path.iterdir()} == {"x"}
