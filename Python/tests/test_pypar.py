"""Programs that were written for PyPar."""

import subprocess
import sys

import pytest

from ranks import EVERYWHERE, check, run

everywhere = pytest.mark.parametrize("launcher", EVERYWHERE)

RING = """
from apus import pypar as pp

ncpus = pp.size()
rank = pp.rank()
node = pp.get_processor_name()
print("I am rank %d of %d on node %s" % (rank, ncpus, node))

if rank == 0:
    {start}
    pp.send(msg, destination=1)
    msg = pp.receive(source=rank - 1)
    print('Processor 0 received message "%s" from rank %d' % (msg, rank - 1))
else:
    source = rank - 1
    destination = (rank + 1) % ncpus
    msg = pp.receive(source)
    msg = msg + "P" + str(rank)
    pp.send(msg, destination)
pp.finalize()
"""
WELL = RING.format(start='msg = "P0"')
BADLY = RING.format(start="msg = P0")


@everywhere
@pytest.mark.parametrize("count", [2, 4])
def test_a_ring(launcher, count, tmp_path):
    lines = check(launcher, count, WELL, tmp_path, beginning="")
    whole = "".join(f"P{rank}" for rank in range(count))
    assert f'Processor 0 received message "{whole}" from rank -1' in lines
    assert len([line for line in lines if line.startswith("I am rank")]) == count


@everywhere
def test_a_ring_of_one_has_no_rank_1(launcher, tmp_path):
    done = run(launcher, 1, WELL, tmp_path, beginning="")
    assert done.returncode != 0 and "there is no rank 1" in done.stderr


def test_a_ring_without_a_launcher():
    done = subprocess.run([sys.executable, "-c", WELL], capture_output=True, text=True, timeout=100)
    assert done.returncode != 0 and done.stdout.startswith("I am rank 0 of 1")
    assert "there is no rank 1" in done.stderr and "apus launch" in done.stderr


@everywhere
def test_a_ring_with_a_mistake(launcher, tmp_path):
    done = run(launcher, 4, BADLY, tmp_path, beginning="")
    assert done.returncode != 0
    assert "NameError" in done.stderr and "rank 0 of 4 ends with an error" in done.stderr
    if "apus" in launcher:
        assert "RankFailed: rank 0 has failed" in done.stderr and "ended with exit code 1" in done.stderr


PP = "from apus import pypar as pp\nimport numpy\nrank, size = pp.rank(), pp.size()\n"


@everywhere
def test_arrays_strings_and_objects(launcher, tmp_path):
    code = """
    other = 1 - rank
    for x in (numpy.arange(10), numpy.arange(6.0).reshape(2, 3), "text", {"any": ["object"]}, numpy.zeros(3, complex)):
        for options in ({}, {"use_buffer": True}, {"vanilla": True}, {"bypass": True}):
            if rank == 0:
                pp.send(x, 1, **options)
                back = pp.receive(1)
            else:
                pp.send(pp.receive(0), 0, **options)
                continue
            assert type(back) is type(x)
            assert (back == x).all() if isinstance(x, numpy.ndarray) else back == x
    if rank == 0:
        pp.send("ABCDE", 1, tag=4)
        pp.send(numpy.arange(4.0), 1)
        pp.send(numpy.arange(4.0), 1, use_buffer=True)
        pp.send(numpy.zeros(3, "f8,i4"), 1)
        pp.send("later", 1, tag=8)
        pp.send("sooner", 1, tag=7)
    else:
        text, status = pp.receive(pp.any_source, tag=pp.any_tag, return_status=True)
        assert (text, status.source, status.tag, status.error, status.length, status.size, status.bytes()) == (
            "ABCDE", 0, 4, 0, 5, 1, 5)
        values, status = pp.receive(0, return_status=True)
        assert (status.tag, status.length, status.size, status.bytes()) == (pp.default_tag, 4, 8, 32)
        room = numpy.zeros(4)
        assert pp.receive(0, buffer=room) is room and (room == numpy.arange(4)).all()
        _, status = pp.receive(0, return_status=True)
        assert (status.length, status.size) == (3, 12)
        assert pp.receive(0, tag=7) == "sooner" and pp.receive(-1, tag=8) == "later"
    """
    check(launcher, 2, code, tmp_path, beginning=PP)


@everywhere
def test_what_all_do_together(launcher, tmp_path):
    code = """
    room = numpy.arange(5.0) if rank == 0 else numpy.zeros(5)
    assert pp.broadcast(room, 0) is room and (room == numpy.arange(5)).all()
    assert pp.broadcast("text" if rank == 1 else "xxxx", 1) == "text"
    assert pp.broadcast({"a": rank}, root=2) == {"a": 2}
    x = numpy.arange(size * 2 * 3.0).reshape(size * 2, 3)
    assert (pp.scatter(x, 0) == x[2 * rank:2 * rank + 2]).all()
    room = numpy.zeros((2, 3))
    assert pp.scatter(x, 1, buffer=room) is room and (room == x[2 * rank:2 * rank + 2]).all()
    assert pp.scatter("abcdef"[:2 * size], 0) == "abcdef"[2 * rank:2 * rank + 2]
    whole = pp.gather(numpy.full(2, rank), 0)
    assert (whole == numpy.repeat(range(size), 2)).all() if rank == 0 else whole is None
    room = numpy.zeros(2 * size)
    assert pp.gather(numpy.full(2, float(rank)), 1, buffer=room) is room
    assert (room == (numpy.repeat(range(size), 2) if rank == 1 else 0)).all()
    assert pp.gather("ab", 0) == ("ab" * size if rank == 0 else None)
    x = numpy.arange(4) + rank
    all = numpy.array([numpy.arange(4) + r for r in range(size)])
    expected = {
        pp.MAX: all.max(0), pp.MIN: all.min(0), pp.SUM: all.sum(0), pp.PROD: all.prod(0), pp.LAND: all.all(0), pp.LOR: all.any(0),
        pp.BAND: numpy.bitwise_and.reduce(all), pp.BOR: numpy.bitwise_or.reduce(all), pp.BXOR: numpy.bitwise_xor.reduce(all),
        pp.LXOR: numpy.logical_xor.reduce(all),
    }
    for op, values in expected.items():
        room = numpy.zeros(4, int)
        assert pp.reduce(x, op, 0, buffer=room) is room
        assert (room == (values if rank == 0 else 0)).all(), (op, room, values)
        found = pp.reduce(x, op, 0)
        assert found is None if rank else (found == values).all() and found.dtype == x.dtype
    try:
        pp.reduce(x, 11, 0)
    except ValueError as problem:
        assert "no operation 11" in str(problem)
    try:
        pp.scatter(numpy.arange(size + 1), 0)
    except RuntimeError as problem:
        assert "evenly" in str(problem)
    pp.barrier()
    """
    check(launcher, 3, code, tmp_path, beginning=PP)


@everywhere
def test_buffered_sends(launcher, tmp_path):
    code = """
    x = numpy.arange(100_000.0)
    assert pp.push_for_alloc(x) == 800_000 and pp.alloc() == 800_000
    pp.attach()
    pp.bsend(x, 1 - rank)
    x[:] = -1
    pp.bsend("text", 1 - rank, tag=2)
    assert (pp.receive(1 - rank) == numpy.arange(100_000)).all() and pp.receive(1 - rank, tag=2) == "text"
    pp.detach()
    pp.dealloc()
    pp.alloc_and_attach()
    pp.detach_and_dealloc()
    """
    check(launcher, 2, code, tmp_path, beginning=PP)


def test_the_rest():
    code = PP + """
assert pp.balance(10, 3, 0) == (0, 4) and [pp.balance(7, 3, p) for p in range(3)] == [(0, 3), (3, 5), (5, 7)]
assert pp.initialized() and pp.Wtime() <= pp.time() and pp.Get_processor_name() == pp.get_processor_name()
assert (pp.any_source, pp.any_tag, pp.default_tag, pp.control_tag) == (-1, -1, 1, 13849) and pp.max_tag > 1 << 15
pp.init([])
pp.send_array(numpy.ones(2), 0); assert (pp.receive_array(numpy.zeros(2), 0) == 1).all()
pp.send_string("s", 0); assert pp.receive_string("x", 0) == "s"
pp.finalize()
assert not pp.initialized()
try:
    pp.send(1, 0)
except RuntimeError as problem:
    assert "finalize" in str(problem)
    print("ended")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
