"""Workers that are forked from a clean interpreter."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import apus
from apus import _library
from conftest import eventually, is_gone

big = None


def fill():
    global big
    big = {n: str(n) for n in range(100_000)}


def fill_much():
    global big
    big = [bytes(1000) for _ in range(100_000)], list(map(float, range(4_000_000)))


def total():
    return len(big[0][-1]), big[1][-1], os.environ.get("GLIBC_TUNABLES")


def seen(n):
    return len(big), big[n]


def parent(_=None):
    return os.getppid()


@pytest.mark.short
@pytest.mark.parametrize("start", ["template", "fresh"])
def test_both_ways(start):
    with apus.Pool(2, start=start, maxtasksperchild=3) as pool:
        assert pool.map(abs, range(-50, 0), chunksize=1) == list(range(50, 0, -1))
        with pytest.raises(apus.WorkerDied, match="exit code 3"):
            pool.apply(os._exit, (3,))
        with pytest.raises(apus.WorkerDied, match="SIGKILL"):
            pool.apply(lambda: os.kill(os.getpid(), signal.SIGKILL))
        assert (pool.apply(parent) == os.getpid()) == (start == "fresh")
    with pytest.raises(ValueError, match="start must be"):
        apus.Pool(1, start="fork")
    with pytest.raises(ValueError, match="initializer"):
        apus.Pool(1, start="fresh", prepare="json")


def test_state_that_is_prepared_is_shared():
    with apus.Pool(2, prepare=fill) as pool:
        assert pool.map(seen, range(10)) == [(100_000, str(n)) for n in range(10)]
        with pytest.raises(apus.WorkerDied):
            pool.apply(os._exit, (1,))
        assert pool.map(seen, range(10)) == [(100_000, str(n)) for n in range(10)]
    with apus.Pool(1, prepare=["colorsys", "wave"]) as pool:
        assert pool.apply(lambda: {"colorsys", "wave"} <= set(sys.modules))
    with apus.Pool(1) as pool:
        assert not pool.apply(lambda: "colorsys" in sys.modules)


def test_much_memory_is_in_pages_that_are_quick_to_fork():
    if not os.path.exists("/sys/kernel/mm/transparent_hugepage") or kernel() < (6, 1):
        pytest.skip("this kernel has no such pages on request")
    with apus.Pool(2, prepare=fill_much) as pool:
        assert pool.apply(total) == (1000, 3_999_999.0, os.environ.get("GLIBC_TUNABLES"))
        with open(f"/proc/{pool.apply(parent)}/smaps_rollup") as lines:
            found = {line.split()[0]: int(line.split()[1]) for line in lines if line.endswith(" kB\n")}
    # Without the C module, only what `malloc` gives.
    assert found["AnonHugePages:"] > found["Anonymous:"] * (0.8 if _library.fast is not None else 0.25) > 50 << 10


def kernel():
    return tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))


def test_what_can_not_be_prepared(capfd):
    def fail():
        raise RuntimeError("no state today")

    for prepare, text in ((fail, "no state today"), ("no_such_module", "No module named"), (lambda: os._exit(7), "")):
        with apus.Pool(2, prepare=prepare) as pool:
            with pytest.raises(apus.PoolBroken, match="template"):
                pool.map(abs, range(3))
        assert text in capfd.readouterr().err


@pytest.mark.short
def test_workers_have_what_the_program_has(monkeypatch, tmp_path):
    monkeypatch.setenv("OF_MINE", "1")
    monkeypatch.chdir(tmp_path)
    with apus.Pool(1) as pool:
        assert pool.apply(lambda: (os.environ["OF_MINE"], os.getcwd())) == ("1", str(tmp_path))
    monkeypatch.setenv("OF_MINE", "2")
    with apus.Pool(1) as pool:
        assert pool.apply(os.getenv, ("OF_MINE",)) == "2"
        assert pool.apply(lambda: sys.stdin.read()) == ""


@pytest.mark.short
def test_each_worker_draws_its_own_numbers():
    import random

    with apus.Pool(2, prepare="random") as pool:
        found = pool.map(lambda _: (time.sleep(0.05), os.getpid(), random.random())[1:], range(8), chunksize=1)
        assert len({process for process, _ in found}) == 2 and len({number for _, number in found}) == 8


def test_a_template_that_is_killed_is_replaced():
    with apus.Pool(2) as pool:
        template = pool.apply(parent)
        os.kill(template, signal.SIGKILL)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if pool.map(abs, range(4)) == [0, 1, 2, 3] and pool.apply(parent) != template:
                    break
            except apus.WorkerDied:
                continue
        assert pool.apply(parent) != template


def test_nothing_outlives_the_program():
    program = """
        import apus, os, signal, sys
        pool = apus.Pool(2)
        print(*pool.map(lambda n: os.getpid(), range(4)), pool.apply(os.getppid), flush=True)
        if sys.argv[1] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        """
    for way in ("kill", "return"):
        found = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program), way], capture_output=True, text=True, timeout=100)
        processes = set(map(int, found.stdout.split()))
        assert len(processes) >= 2
        assert eventually(lambda: all(map(is_gone, processes)))


@pytest.mark.parametrize("start", ["template", "fresh"])
def test_environment(start):
    with apus.Pool(1, start=start, environment={"OF_MINE": 3}) as pool:
        assert pool.apply(os.getenv, ("OF_MINE",)) == "3" and pool.apply(os.getenv, ("PATH",))
    for bad in ({"a=b": 1}, {"": 1}, {"a": "\0"}):
        with pytest.raises(ValueError, match="environment"):
            apus.Pool(1, start=start, environment=bad)
