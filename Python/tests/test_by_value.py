"""What travels by value is in a worker what it is in the program, whatever either changes meanwhile."""

import subprocess
import sys
import textwrap

import pytest

from apus import _functions
from conftest import run

pytestmark = pytest.mark.short

CHANGES = {
    "a result of a main class leaves the class alone": """
        log = []
        class Item:
            made = 0
            def note(self):
                log.append(1)
        with apus.Pool(1) as pool:
            waiting = pool.apply_async(lambda: (time.sleep(0.5), Item())[1])
            Item.made = 7
            found = [waiting.get(), *pool.map(lambda i: Item(), range(2))]
        for item in found:
            item.note()
        assert len(log) == 3 and Item.made == 7 and type(found[0]) is Item
        """,
    "an exception of a main class leaves the class alone": """
        count = 0
        class Bad(Exception):
            def note(self):
                global count
                count += 1
                return count
        def fail():
            raise Bad("no")
        with apus.Pool(1) as pool:
            for _ in range(2):
                try:
                    pool.apply(fail)
                except Bad as error:
                    error.note()
            assert count == 2
            assert pool.apply(lambda: (Bad().note(), count)) == (3, 3)
            try:
                pool.apply(fail)
            except Bad:
                pass
            assert pool.apply(lambda: (Bad().note(), count)) == (4, 4)
        """,
    "a global that is set back": """
        def f():
            return limit
        def g():
            return limit
        with apus.Pool(1) as pool:
            found = []
            for limit in (1, 2, 1):
                found.append((pool.apply(f), pool.apply(lambda: limit)))
            limit = 5
            found.append(pool.apply(f))
            limit = 6
            found.append(pool.apply(g))
            limit = 5
            found.append(pool.apply(f))
            assert found == [(1, 1), (2, 2), (1, 1), 5, 6, 5], found
            state = {"n": 0}
            def count():
                state["n"] += 1
                return state["n"]
            assert [pool.apply(count), pool.apply(count)] == [1, 2]
            state = {"n": 0}
            assert pool.apply(count) == 1
        """,
    "classes with slots, and with cached properties": """
        class Slots:
            __slots__ = ("a", "b")
            def __init__(self, a):
                self.a = a
        class Square:
            def __init__(self, n):
                self.n = n
            @functools.cached_property
            def area(self):
                return self.n ** 2
        with apus.Pool(1) as pool:
            assert [found.a for found in pool.map(lambda s: Slots(s.a + 1), [Slots(1), Slots(2)])] == [2, 3]
            assert pool.apply(lambda: hasattr(Slots(1), "__dict__")) is False
            found = pool.apply(lambda s: (s.area, s), (Square(3),))
            assert found[0] == 9 and found[1].area == 9 and Square(4).area == 16
        """,
    "a global that becomes None, or is gone for a while": """
        x, z = {1, 2}, 1
        def f():
            return x
        def g():
            return z
        def g2():
            return z
        with apus.Pool(1) as pool:
            assert pool.apply(f) == {1, 2}
            x = None
            assert pool.apply(f) is None
            assert pool.apply(g) == 1
            del z
            try:
                pool.apply(g2)
            except NameError:
                pass
            z = 1
            assert pool.apply(g) == 1
        """,
    "an older value that comes later": """
        y = 1
        def f(_):
            time.sleep(0.01)
            return y
        def g(_):
            time.sleep(0.01)
            return y
        with apus.Pool(2) as pool:
            busy = [pool.apply_async(time.sleep, (0.3,)) for _ in range(2)]
            first = pool.map_async(f, range(20), 1)
            y = 2
            second = pool.map_async(g, range(20), 1)
            first.wait()
            assert second.get() == [2] * 20
            assert pool.map(g, range(20), 1) == [2] * 20
            def old():
                return y
            shared = pool.share(old)
            y = 3
            assert pool.apply(g, (0,)) == 3
            pool.apply(lambda held: held.value(), (shared,))
            assert pool.apply(g, (0,)) == 3
        """,
    "others that are bound anew": """
        def counter():
            n = 0
            def up():
                nonlocal n
                n += 1
                return n
            return up
        def unrelated():
            return u
        up, u = counter(), 1
        with apus.Pool(1) as pool:
            assert pool.apply(up) == 1 and pool.apply(unrelated) == 1
            u = 2
            assert pool.apply(unrelated) == 2 and pool.apply(up) == 2
            limit = 1
            class Counter:
                n = 0
                def up(self):
                    self.n += limit
                    return self.n
            c = Counter()
            def bump():
                return c.up()
            assert [pool.apply(bump), pool.apply(bump)] == [1, 2]
            limit = 10
            assert pool.apply(lambda: limit) == 10 and pool.apply(bump) == 12
        """,
    "what a worker has bound anew": """
        def h():
            return "old"
        def patch():
            global h, limit
            h = lambda: "new"
            del limit
        limit = 1
        def use():
            return h()
        def use_too():
            return h(), "limit" in globals(), limit if "limit" in globals() else 0
        with apus.Pool(1) as pool:
            pool.apply(patch)
            assert pool.apply(use) == "new" and pool.apply(use_too) == ("new", False, 0)
        """,
    "a pool of a worker's": """
        y = 1
        def inner():
            global y
            y = 77
            return lambda: y
        def outer():
            with apus.Pool(1) as pool:
                return y, pool.apply(inner)(), y
        with apus.Pool(1) as pool:
            assert pool.apply(outer) == (1, 77, 1)
            assert pool.apply(lambda: y) == 1
        """,
    "a name that is bound while a function is pickled": """
        class Slow:
            def __reduce__(self):
                global x
                x = 2
                return Slow, ()
        x, slow = 1, Slow()
        def f():
            return x, slow is None
        with apus.Pool(1) as pool:
            pool.apply(f)
            assert pool.apply(f)[0] == 2
        """,
    "much that is used once": """
        with apus.Pool(1) as pool:
            alive = weakref.WeakSet()
            for _ in range(600):
                kept = [0]
                f = lambda: len(kept)
                kept.append(f)
                alive.add(f)
                pool.apply(f)
            gc.collect()
            assert len(alive) < 300, len(alive)
            assert next(pool.imap(abs, range(10**20))) == 0
        """,
    "each new function has a state of its own": """
        def counter():
            count = 0
            def up(n):
                nonlocal count
                count += n
                return count
            return up
        class Sum:
            total = 0
            def add(self, n):
                self.total += n
                return self.total
        with apus.Pool(1) as pool:
            for _ in range(2):
                assert pool.map(counter(), [1, 2, 3], chunksize=3) == [1, 3, 6]
                assert pool.map(Sum().add, [1, 2, 3], chunksize=3) == [1, 3, 6]
        """,
    "what a function refers to by way of others": """
        factor = 1
        class Job:
            def run(self, n):
                return factor * n
        def times(n):
            return factor * n
        def by_default(n, job=Job()):
            return job.run(n)
        partial, cached, instance = functools.partial(times, 3), functools.lru_cache(maxsize=None)(times), Job()
        def all_of(n):
            return Job().run(n), partial(), cached(n), instance.run(n), by_default(n)
        with apus.Pool(1) as pool:
            assert pool.apply(all_of, (3,)) == (3, 3, 3, 3, 3)
            factor = 2
            assert pool.apply(all_of, (4,)) == (8, 6, 8, 8, 8)
            all_of.__defaults__ = (5,)
            assert pool.apply(all_of) == (10, 6, 10, 10, 10)
        """,
    "cached functions": """
        def decorated(function):
            @functools.wraps(function)
            @functools.lru_cache(None)
            def inner(x):
                return function(x) + 1
            return inner
        @decorated
        def more(x):
            return x
        more.unit = "m"
        with apus.Pool(1) as pool:
            assert pool.apply(more, (5,)) == 6 and pool.apply(lambda: more.unit) == "m"
        """,
    "two functions with one variable": """
        def pair():
            n = 0
            def up():
                nonlocal n
                n += 1
            def get():
                return n
            return up, get
        up, get = pair()
        with apus.Pool(1) as pool:
            assert pool.apply(lambda: (up(), get())[1]) == 1
        """,
    "a global that is gone": """
        max = lambda *_: -1
        def largest(*numbers):
            return max(*numbers)
        with apus.Pool(1) as pool:
            assert pool.apply(largest, (3, 4)) == -1
            del max
            assert pool.apply(largest, (3, 4)) == 4
            def note():
                global seen
                seen = 1
            def seen_is_there():
                return seen
            pool.apply(note)
            assert pool.apply(seen_is_there) == 1
        """,
    "a class keeps what a worker has made of it": """
        class Job:
            count = 0
            def run(self):
                type(self).count += 1
                return type(self).count
        with apus.Pool(1) as pool:
            assert pool.map(Job.run, [Job()] * 3, 1) == [1, 2, 3]
        """,
    "names from typing, and bodies of classes": """
        from typing import TypeVar
        T = TypeVar("T")
        limit = 3
        def same(x: T) -> T:
            return x
        def local():
            class A:
                value = limit
            @dataclasses.dataclass
            class B:
                x: int = dataclasses.field(default=4)
            return A.value, B().x
        with apus.Pool(1) as pool:
            assert pool.apply(same, (1,)) == 1 and pool.apply(local) == (3, 4)
        """,
    "other namespaces of that name": """
        names = [{"__name__": "__main__", "x": x} for x in (1, 2)]
        for each in names:
            exec("def get(): return x", each)
        a, b = (each["get"] for each in names)
        with apus.Pool(1) as pool:
            assert pool.apply(lambda: (a(), b())) == (1, 2)
        """,
    "functions are let go of": """
        class Holder:
            pass
        alive = weakref.WeakSet()
        with apus.Pool(1) as pool:
            for _ in range(20):
                holder = Holder()
                holder.function = lambda n: holder is not None and n
                def other(n):
                    return n if n < 1 else other(n - 1)
                alive.add(other)
                alive.add(holder)
                pool.apply(holder.function, (1,))
                pool.apply(other, (1,))
            del holder, other
            gc.collect()
            assert len(alive) < 5, len(alive)
        """,
}


@pytest.mark.parametrize("name", CHANGES)
def test_as_in_the_program(tmp_path, name):
    text = "import apus, dataclasses, functools, gc, time, weakref\n" + textwrap.dedent(CHANGES[name]) + "print('done')\n"
    assert run(tmp_path / "script.py", text) == ["done"]


def test_imports_relative_to_a_package(tmp_path):
    package = tmp_path / "pk"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("value = 3\n")
    (package / "run.py").write_text(
        "import apus\ndef f():\n    from . import part\n    return part.value\nprint(apus.Pool(1).apply(f))\n")
    found = subprocess.run([sys.executable, "-m", "pk.run"], capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert (found.stdout, found.stderr) == ("3\n", "")


def test_arrays_of_the_main_module_are_kept(tmp_path):
    """One that the program has not changed does not overwrite what a worker has made of it, and takes no cloudpickle."""
    pytest.importorskip("numpy")
    text = textwrap.dedent("""
        import apus, numpy, sys
        large = numpy.zeros(20_000)
        def one():
            large[0] += 1
            return large[0]
        def other():
            large[0] += 1
            return large[0]
        with apus.Pool(1) as pool:
            print(pool.apply(one) + 10 * pool.apply(other), "cloudpickle" in sys.modules)
        """)
    assert run(tmp_path / "script.py", text) == ["21.0", "False"]


def test_a_proxy_is_not_asked_what_it_stands_for():
    class Proxy:
        @property
        def __class__(self):
            raise RuntimeError("it stands for nothing")

    proxy = Proxy()
    function = eval("lambda: proxy", {"__name__": "__main__", "proxy": proxy})
    (found,) = [binding for binding in _functions.bindings(function) if binding.name == "proxy"]
    assert found.holds()
