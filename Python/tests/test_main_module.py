"""A worker does not import the main module: functions and classes of it travel by value."""

import subprocess
import sys
import textwrap

import pytest

from conftest import run

pytestmark = pytest.mark.short


def test_classes():
    program = textwrap.dedent("""
        import apus

        class Point:
            def __init__(self, x):
                self.x = x
            def __eq__(self, other):
                return type(self) is type(other) and self.x == other.x

        pool = apus.Pool(2)
        print(pool.map(lambda p: Point(p.x + 1), [Point(1), Point(2)]) == [Point(2), Point(3)])
        """)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (found.stdout, found.stderr, found.returncode) == ("True\n", "", 0)


def test_a_pool_made_as_a_worker_imports(tmp_path):
    (tmp_path / "helper.py").write_text("import apus\npool = apus.Pool(1)\ndef f(n):\n    return n\n")
    program = "import helper\nprint(helper.pool.map(helper.f, [1]))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert found.returncode == 1 and "while a worker imports this module" in found.stderr


def test_globals_are_shared_in_a_worker(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent("""
        import apus

        table, notes, x = None, {}, 1

        def load():
            global table
            table = {1: "one"}

        def look_up(n):
            return table[n]

        def note(word):
            notes["word"] = word

        def times_x(n):
            return inner(n)

        def inner(n):
            return n * x

        with apus.Pool(1, prepare=load, initializer=note, initargs=("ready",)) as pool:
            assert pool.map(look_up, [1, 1]) == ["one", "one"]
            assert pool.apply(lambda: notes["word"]) == "ready"
            assert pool.apply(times_x, (5,)) == 5
            x = 2
            assert pool.apply(times_x, (5,)) == 10
            def inner(n):
                return n + x
            assert pool.map(times_x, [5]) == [7]
            table = {1: "uno"}
            assert pool.map(look_up, [1]) == ["uno"]
            found = pool.apply(lambda: look_up)
            table = {1: "un"}
            assert found is not look_up and look_up(1) == "un"
        print("done")
        """))
    found = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=100)
    assert (found.stdout, found.stderr) == ("done\n", "")


FUNCTIONS = """
import apus, sys, os.path, functools, collections, xml.dom.minidom, importlib.metadata
import xml.dom as dom
import json as notation

limit = 3
class Local:
    def twice(self, n):
        return 2 * n

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

def with_defaults(a, b=(1, 2), *rest, c=limit, **names):
    "Its text."
    return a, b, rest, c, names

def to_be_filled():
    def inner(n):
        return outer(n) if n else later
    outer = lambda n: inner(n - 1)
    if limit < 0:
        later = 1
    return inner

def squares(n):
    yield from (i * i for i in range(n))

@functools.lru_cache(maxsize=100)
def cached(n):
    return n if n < 2 else cached(n - 1) + cached(n - 2)

def wrapped(body):
    @functools.wraps(body)
    def call(*arguments):
        return body(*arguments) + 1
    return call

@wrapped
def one_more(n):
    return n

def one_more_global():
    global limit
    limit += 1
    return limit

def many_names(n):
    return [{names}][n]

with_defaults.note = {"seen": [1]}

{assigned}

pool = apus.Pool(1)
assert pool.map(fib, [10, 11]) == [55, 89]
assert pool.map(even, [10, 11]) == [True, False]
assert pool.apply(with_defaults, (0,), {"d": 4}) == (0, (1, 2), (), 3, {"d": 4})
assert pool.apply(lambda: (with_defaults.__doc__, with_defaults.note, with_defaults.__name__, with_defaults.__module__)) == (
    "Its text.", {"seen": [1]}, "with_defaults", "__main__")
assert pool.apply(to_be_filled()(2) if limit < 0 else lambda: 1) == 1
try:
    pool.apply(to_be_filled(), (2,))
except NameError as error:
    assert "later" in str(error), error
else:
    assert False
assert pool.apply(lambda n: list(squares(n)), (4,)) == [0, 1, 4, 9]
assert pool.map(cached, [50, 60]) == [12586269025, 1548008755920]
assert pool.apply(lambda: cached.cache_info().maxsize) == 100
assert pool.map(one_more, [1, 2]) == [2, 3]
assert pool.map(functools.partial(one_more), [1]) == [2]
assert pool.apply(one_more_global) == 4
assert pool.map(many_names, [0, 299]) == [0, 299]
assert pool.apply(lambda: notation.dumps([os.path.basename("/a/b"), xml.dom.NotFoundErr.__name__])) == '["b", "NotFoundErr"]'
assert pool.apply(lambda: dom.minidom.parseString("<a/>").documentElement.tagName) == "a"
assert pool.apply((lambda package: lambda: package.metadata.version.__name__)(importlib)) == "version"
assert pool.apply(Local().twice, (4,)) == 8
assert pool.apply(lambda: Local().twice(limit)) == 8  # as the worker has left it
print("done", "cloudpickle" in sys.modules)
"""


# As it is, and with cloudpickle for all.
@pytest.mark.parametrize("before", ["", "from apus import _by_value\n_by_value._Pickler = None\n"])
def test_functions_of_many_kinds(tmp_path, before):
    # So many names that an operation's argument takes more than a byte.
    names = [f"name{i}" for i in range(300)]
    text = FUNCTIONS.replace("{names}", ", ".join(names)).replace(
        "{assigned}", "\n".join(f"{name} = {i}" for i, name in enumerate(names)))
    assert run(tmp_path / "script.py", before + text) == ["done", "True"]


def test_plain_functions_need_no_cloudpickle(tmp_path):
    text = textwrap.dedent("""
        import apus, sys, json
        factor = 3
        def times(n):
            return factor * n + json.loads("1")
        print(apus.Pool(1).map(times, [1, 2]), "cloudpickle" in sys.modules)
        """)
    assert run(tmp_path / "script.py", text) == ["[4,", "7]", "False"]
