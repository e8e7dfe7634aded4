"""A worker does not import the main module: functions and classes of it travel by value."""

import subprocess
import sys
import textwrap

import pytest

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
