"""How ranks end, alone and together: exceptions, signals, requests that are under way."""

import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apus import mpi
from ranks import APUS, EVERYWHERE, check, run, start

numpy = pytest.importorskip("numpy")

everywhere = pytest.mark.parametrize("launcher", EVERYWHERE)
locally = pytest.mark.parametrize("launcher", [APUS])


@locally
def test_an_end_that_others_do_not_wake_from(launcher, tmp_path):
    # Of ten runs two or three hung before the rank looked once more on its way to sleep.
    code = """
    import threading, time
    threading.Thread(target=time.sleep, args=(10_000,), daemon=True).start()
    world = mpi.world(threads=True)
    if rank == 0:
        for tag in range(300):
            world.isend(bytes(320_000), 1, tag=tag)
    else:
        for tag in range(300):
            world.receive(0, tag)
    world.barrier()
    """
    for _ in range(5):
        check(launcher, 2, code, tmp_path)


@locally
def test_a_wait_at_the_end_takes_no_processor_time(launcher, tmp_path):
    code = """
    import time
    if rank == 0:
        for tag in range(50):
            world.isend(bytes(400_000), 2, tag)
    if rank == 2:
        time.sleep(6)
        for tag in range(50):
            world.receive(0, tag)
    """
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    check(launcher, 3, code, tmp_path)
    assert sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before < 4


@locally
def test_what_is_under_way_when_a_send_is_interrupted(launcher, tmp_path):
    code = """
    import os, signal, threading, time, pytest, numpy
    big = numpy.ones(1_000_000)
    if rank == 0:
        def handler(*_):
            raise InterruptedError("mine")
        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        request = world.isend(big, 2)
        with pytest.raises(InterruptedError, match="mine"):
            world.send(big, 1)
        with pytest.raises(mpi.MessageError, match="interrupted"):
            request.wait()
    else:
        time.sleep(1)
        with pytest.raises(mpi.MessageError, match="given up"):
            world.receive(0)
    """
    check(launcher, 3, code, tmp_path)


@everywhere
def test_an_uncaught_exception_ends_the_job(launcher, tmp_path):
    code = """
    if rank == 1:
        unknown_name
    try:
        world.receive(source=1)
    except mpi.RankFailed as problem:
        print("told of", problem.rank)
        raise
    """
    done = run(launcher, 3, code, tmp_path)
    assert done.returncode != 0
    assert "rank 1 of 3 ends with an error" in done.stderr and "NameError" in done.stderr
    if "apus" in launcher:
        assert done.stdout.splitlines() == ["told of 1"] * 2
        assert "ended with exit code 1" in done.stderr


@locally
def test_exit_statuses(launcher, tmp_path):
    assert run(launcher, 2, "sys.exit(3 if rank else 0)", tmp_path).returncode == 3
    assert run(launcher, 2, "os._exit(0) if rank else world.receive(1)", tmp_path).returncode != 0
    assert run(launcher, 2, "os.kill(os.getpid(), 9) if rank else world.receive(1)", tmp_path).returncode == 128 + 9
    assert run(launcher, 2, "world.abort(7) if rank else world.receive(1)", tmp_path).returncode == 7
    assert run(launcher, 2, "sys.exit(0)", tmp_path).returncode == 0


@everywhere
def test_abort(launcher, tmp_path):
    assert run(launcher, 2, "print('last words') if rank else None\nworld.abort(7) if rank else world.receive(1)", tmp_path).returncode != 0


@everywhere
def test_other_threads_of_a_failed_rank_hold_nobody(launcher, tmp_path):
    code = """
    import threading
    if rank == 0:
        threading.Thread(target=threading.Event().wait).start()
        raise ValueError("rank 0 ends")
    world.receive(0)
    """
    assert run(launcher, 2, code, tmp_path).returncode != 0


@locally
def test_a_rank_that_has_ended(launcher, tmp_path):
    code = """
    if rank == 0:
        try:
            world.receive(1)
        except mpi.RankEnded as problem:
            print(problem.rank, isinstance(problem, mpi.MessageError), isinstance(problem, RuntimeError))
    """
    assert check(launcher, 2, code, tmp_path) == ["1 True True"]


@locally
def test_a_deadlock_is_told(launcher, tmp_path):
    code = """
    try:
        world.receive((rank + 1) % size, tag=5)
    except mpi.Deadlock as problem:
        assert f"rank {rank} receives from rank {(rank + 1) % size}, tag 5" in str(problem), problem
        print("told")
    """
    assert check(launcher, 3, code, tmp_path) == ["told"] * 3


@locally
@pytest.mark.parametrize("wait", ["world.receive(1)", "world.barrier()", "world.send(bytes(10_000_000), 1)", "world.probe(1)",
                                  "world.ireceive(1).wait()", "world.isend(bytes(10_000_000), 1).wait()"])
def test_a_signal_ends_a_wait(launcher, wait, tmp_path):
    code = f"""
    import signal, time
    if rank == 0:
        world.send(os.getpid(), 1, tag=9)
        try:
            {wait}
        except KeyboardInterrupt:
            print("interrupted")
        world.send("on it goes", 1, tag=10)
    else:
        process = world.receive(0, 9)
        time.sleep(0.5)
        os.kill(process, signal.SIGINT)
        assert world.receive(0, 10) == "on it goes"
    """
    done = run(launcher, 2, code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


@locally
def test_handlers_run_while_a_rank_waits(launcher, tmp_path):
    code = """
    import signal, time
    if rank == 0:
        signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
        world.send(os.getpid(), 1)
        print(world.receive(1))
    else:
        process = world.receive(0)
        time.sleep(0.3)
        os.kill(process, signal.SIGUSR1)
        time.sleep(0.3)
        world.send("received", 0)
    """
    assert check(launcher, 2, code, tmp_path) == ["handled", "received"]


@locally
def test_ctrl_c_of_the_job_shows_one_traceback(launcher, tmp_path):
    code = """
    import time
    print("ready")
    time.sleep(100) if rank else world.receive(1)
    """
    process = start(launcher, 2, code, tmp_path)
    for _ in range(2):
        assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1, errors


@everywhere
def test_other_threads_go_on_while_a_rank_waits(launcher, tmp_path):
    code = """
    import threading, time
    if rank == 0:
        event = threading.Event()
        threading.Thread(target=lambda: (time.sleep(0.2), event.set())).start()
        assert world.receive(1) == "late" and event.is_set()
    else:
        time.sleep(1)
        world.send("late", 0)
    """
    check(launcher, 2, code, tmp_path)


@everywhere
def test_several_threads(launcher, tmp_path):
    code = """
    import threading
    mpi.world(threads=True)
    other = 1 - rank
    def talk(tag):
        for turn in range(50):
            world.send((tag, turn), other, tag)
            assert world.receive(other, tag) == (tag, turn)
        print("done")
    threads = [threading.Thread(target=talk, args=(tag,)) for tag in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    assert check(launcher, 2, code, tmp_path) == ["done"] * 6


@locally
def test_two_threads_without_asking(launcher, tmp_path):
    code = """
    import threading, time
    if rank == 0:
        waiting = threading.Thread(target=lambda: world.receive(1))
        waiting.start()
        time.sleep(0.5)
        try:
            world.send(1, 1)
        except mpi.ConcurrentUse as problem:
            assert "world(threads=True)" in str(problem), problem
            print("told")
        open("told", "w").close()
        waiting.join()
    else:
        while not os.path.exists("told"):
            time.sleep(0.01)
        world.send("at last", 0)
    """
    import os

    old = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert check(launcher, 2, code, tmp_path) == ["told"]
    finally:
        os.chdir(old)


@everywhere
def test_a_pool_in_each_rank(launcher, tmp_path):
    code = """
    import apus
    def task(n):
        try:
            mpi.world()
        except mpi.StartUpFailed:
            return n * n
    with apus.Pool(1) as pool:
        assert pool.map(task, range(3)) == [0, 1, 4]
    assert world.allreduce(1) == size
    """
    check(launcher, 2, code, tmp_path)


@everywhere
def test_processes_of_a_rank_are_no_ranks(launcher, tmp_path):
    code = """
    import subprocess
    if rank == 0:
        child = os.fork()
        if not child:
            try:
                world.send(1, 1)
            except mpi.MessageError:
                os._exit(0)
            os._exit(9)
        assert os.waitpid(child, 0)[1] == 0
    assert "APUS_RANK" not in os.environ
    world.barrier()
    """
    check(launcher, 2, code, tmp_path)


# Alone


def alone(code):
    return subprocess.run([sys.executable, "-c", "from apus import mpi\nworld = mpi.world()\n" + code], capture_output=True, text=True,
                          timeout=100)


def test_a_world_of_one():
    done = alone("""
world.send("to itself", 0)
print(world.rank, world.size, world.receive(), world.broadcast(1), world.allreduce(2), world.gather(3), world.scan(4), world.exscan(5))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 1 to itself 1 2 [3] 4 None\n", "")


def test_alone_there_is_nobody_else():
    done = alone("world.send(1, to=1)")
    assert done.returncode != 0
    assert "there is no rank 1" in done.stderr and "apus launch" in done.stderr
    done = alone("world.receive()")
    assert "Deadlock" in done.stderr


def test_joining_is_quick_and_starts_no_thread():
    done = alone("import os; print(len(os.listdir('/proc/self/task')))")
    assert done.stdout == "1\n"


def test_it_need_not_be_imported_by_name():
    done = subprocess.run([sys.executable, "-c", "import apus; print(apus.mpi.ANY)"], capture_output=True, text=True, timeout=100)
    assert done.stdout == "-1\n"


def test_operators_are_functions():
    assert mpi.SUM(1, 2) == 3 and mpi.MAX("a", "b") == "b" and mpi.LOGICAL_XOR(1, []) is True
    assert (mpi.MAX(numpy.arange(3), 1) == [1, 1, 2]).all() and repr(mpi.SUM) == "apus.mpi.SUM"


def test_errors_survive_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(mpi.RankFailed("it died", 3)))
    assert (type(error), str(error), error.rank) == (mpi.RankFailed, "it died", 3)


@everywhere
@pytest.mark.parametrize("page", ["messages.md", "pypar.md"])
def test_pages_as_several_ranks(launcher, page, tmp_path):
    text = (Path(__file__).resolve().parents[1] / "docs" / page).read_text()
    for code in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        check(launcher, 3, code, tmp_path, beginning="")
