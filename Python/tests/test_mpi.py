"""Messages between ranks: in shared memory and through each MPI library."""

import pytest

from ranks import APUS, EVERYWHERE, check

numpy = pytest.importorskip("numpy")

everywhere = pytest.mark.parametrize("launcher", EVERYWHERE)
locally = pytest.mark.parametrize("launcher", [APUS])

OBJECTS = """
import numpy, array, datetime, fractions

record = numpy.dtype([("number", "i4"), ("name", "U5"), ("place", "f8", (2,))])
objects = [
    None, True, 7, -2 ** 70, 1.5, "", "text é €", "lone \\udc80", b"", b"bytes" * 10_000, bytearray(b"array"), (1, [2, {"three": {4}}]),
    datetime.date(2026, 11, 30), fractions.Fraction(1, 3), array.array("d", [1, 2]),
    numpy.arange(5), numpy.arange(3_000_000.0), numpy.arange(24, dtype="i2").reshape(2, 3, 4),
    numpy.asfortranarray(numpy.arange(12.0).reshape(3, 4)), numpy.arange(100)[::3], numpy.arange(20).reshape(4, 5)[:, 1:3],
    numpy.array(3.25), numpy.empty((0, 3)), numpy.empty(0), numpy.empty((2, 0, 2), "i1"), numpy.ones((1, 1, 1, 1, 1, 1, 1, 1)),
    numpy.ones((2, 1 << 12, 1, 1, 1, 1, 1, 1, 1, 1), "u1"), numpy.array([True, False]), numpy.array([1 + 2j], "F"),
    numpy.array([1, 2], ">i4"), numpy.array(["2026-11-30"], "M8[D]"), numpy.array(["a", "bc"]), numpy.float16([1, 2]),
    numpy.longdouble([1.25]), numpy.zeros(4, record), numpy.zeros((200, 200), record)[::2], numpy.array([1, "two", None], object),
    numpy.zeros(3, numpy.dtype([("any", object)])), numpy.float64(2.5), numpy.matrix([[1, 2], [3, 4]]),
    numpy.ma.array([1, 2], mask=[True, False]), numpy.broadcast_to(numpy.arange(3), (2, 3)), lambda x: x + 1,
]
def same(a, b):
    if isinstance(a, numpy.ndarray):
        assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape, (a, b)
        assert a is b or b.flags.writeable
        # A long double has bytes that mean nothing.
        assert a.tobytes() == b.tobytes() or (a == b).all() and a.dtype.char in "gGO", (a, b)
        assert a.ndim < 2 or 1 in a.shape or not a.flags.fnc or b.flags.fnc
    elif callable(a):
        assert b(1) == a(1)
    else:
        assert type(a) is type(b) and a == b, (a, b)
"""


@everywhere
def test_any_object(launcher, tmp_path):
    code = OBJECTS + """
for item in objects:
    if rank == 0:
        world.send(item, to=1, tag=3)
        same(item, world.receive(source=1))
    else:
        world.send(world.receive(source=0, tag=3), 0)
request = world.isend(objects, 1 - rank)
for a, b in zip(objects, world.receive(1 - rank)):
    same(a, b)
request.wait()
print("same")
"""
    assert check(launcher, 2, code, tmp_path) == ["same", "same"]


@everywhere
def test_who_and_where(launcher, tmp_path):
    lines = check(launcher, 3, 'print(rank, size, world.node == os.uname().nodename, world, world is mpi.world())', tmp_path)
    assert lines == [f"{rank} 3 True <apus.mpi.Communicator: rank {rank} of 3> True" for rank in range(3)]


@everywhere
def test_any_source_tags_and_status(launcher, tmp_path):
    code = """
    import numpy
    if rank:
        world.send(rank, 0, tag=rank)
        world.send("first", 0, tag=10)
        world.send("second", 0, tag=11)
        world.send(numpy.ones(4), to=0, tag=12)
    else:
        found = [world.receive(tag=tag, status=True) for tag in (1, 2)]
        assert [value for value, _ in found] == [1, 2]
        assert [(status.source, status.tag) for _, status in found] == [(1, 1), (2, 2)]
        for source in (1, 2):
            # The later one is asked for first.
            assert world.receive(source, 11) == "second"
            assert world.probe(source).tag == 10
            assert world.receive(source, mpi.ANY) == "first"
        statuses = [world.receive(tag=12, status=True)[1] for _ in range(2)]
        assert sorted(status.source for status in statuses) == [1, 2]
        assert {(status.tag, status.nbytes) for status in statuses} == {(12, 32)}
        assert world.iprobe() is None
    """
    check(launcher, 3, code, tmp_path)


@everywhere
def test_memory_that_is_there(launcher, tmp_path):
    code = """
    import numpy
    values = numpy.arange(1_000_000.0).reshape(1000, 1000)
    if rank == 0:
        for _ in range(3):
            world.send(values, 1)
        world.send(b"12345678", 1)
        world.send(values[:2, :2], 1)
        world.send(numpy.arange(4), 1)
        world.send(numpy.arange(9.0), 1)
        world.send("text", 1)
        world.send("end", 1)
    else:
        room = numpy.zeros((1000, 1000))
        assert world.receive(0, into=room) is room and (room == values).all()
        room[:] = 0
        request = world.ireceive(0, into=room)
        assert request.wait() is room and (room == values).all() and request.status.nbytes == 8_000_000
        assert world.receive(into=numpy.zeros(1_000_005), status=True)[1].nbytes == 8_000_000
        assert world.receive(into=bytearray(8)) == b"12345678"
        small = numpy.zeros(4)
        assert (world.receive(into=small) == [0, 1, 1000, 1001]).all()
        for error, into in ((mpi.TypeMismatch, small), (mpi.TooLong, small), (mpi.TypeMismatch, small)):
            try:
                world.receive(0, into=into)
            except error as problem:
                assert problem.rank == 0 and "gone" in str(problem)
            else:
                raise AssertionError("no error")
        for into, error in ((numpy.zeros((4, 4))[:, 1:], (BufferError, ValueError)), (b"constant", BufferError)):
            try:
                world.receive(0, into=into)
            except error:
                pass
        assert world.receive(0) == "end"
    """
    check(launcher, 2, code, tmp_path)


@everywhere
def test_exchanges_and_requests(launcher, tmp_path):
    code = """
    import numpy
    mine, other = numpy.full(500_000, float(rank)), 1 - rank
    assert (world.sendreceive(mine, other) == other).all()
    room = numpy.empty(500_000)
    assert world.sendreceive(mine, other, source=other, into=room) is room and (room == other).all()
    receives = [world.ireceive(other, tag) for tag in range(20)]
    sends = [world.isend({"tag": tag, "more": mine}, other, tag) for tag in range(20)]
    assert [found["tag"] for found in mpi.wait_all(receives)] == list(range(20))
    assert mpi.wait_all(sends) == [None] * 20
    assert all(request.test() for request in sends + receives)
    assert receives[3].wait()["tag"] == 3
    # Nobody holds it.
    world.isend(numpy.ones(1_000_000), other, 50)
    assert world.receive(other, 50).sum() == 1_000_000
    early = world.ireceive(other, 99)
    assert not early.test() and early.cancel()
    try:
        early.wait()
    except mpi.RequestCancelled:
        print("cancelled")
    world.barrier()
    # The program ends while this is under way.
    if rank == 0:
        world.isend(numpy.arange(2_000_000), other, 60)
    else:
        import time
        time.sleep(0.5)
        assert (world.receive(other, 60) == numpy.arange(2_000_000)).all()
    """
    assert check(launcher, 2, code, tmp_path) == ["cancelled"] * 2


@everywhere
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_collective_operations(launcher, count, tmp_path):
    code = OBJECTS + """
objects = [item for item in objects if not callable(item)]
for root in range(size):
    for item in objects[root::size]:
        same(item, world.broadcast(item if rank == root else None, root))
    assert world.scatter([("for", other) for other in range(size)] if rank == root else None, root) == ("for", rank)
    same(numpy.full(rank + 1, rank), world.scatter([numpy.full(r + 1, r) for r in range(size)] if rank == root else None, root))
    found = world.gather({"from": rank}, root)
    assert found == ([{"from": other} for other in range(size)] if rank == root else None)
found = world.allgather(numpy.arange(rank))
for other in range(size):
    same(numpy.arange(other), found[other])
assert world.alltoall([(rank, other) for other in range(size)]) == [(other, rank) for other in range(size)]
world.barrier()
"""
    check(launcher, count, code, tmp_path)


@everywhere
@pytest.mark.parametrize("count", [1, 3, 4])
def test_reductions(launcher, count, tmp_path):
    # Over a library: more ranks than processors take turns, some of them for milliseconds.
    code = f"shared = {'apus' in launcher}" + """
import functools, numpy
generator = numpy.random.default_rng(7)
OPERATORS = [mpi.SUM, mpi.PRODUCT, mpi.MIN, mpi.MAX, mpi.LOGICAL_AND, mpi.LOGICAL_OR, mpi.LOGICAL_XOR, mpi.BITWISE_AND,
             mpi.BITWISE_OR, mpi.BITWISE_XOR]
def same(found, expected):
    expected = numpy.asarray(expected)
    assert found.dtype == expected.dtype and found.shape == expected.shape, (found, expected)
    close = numpy.allclose if expected.dtype.kind in "fc" else numpy.array_equal
    assert close(found, expected), (found, expected)
# Libraries differ in what they do right.
types = "?bBhHiIlLqQfdFD" if shared else "?bHIdF"
for char in types:
    for shape in ((), (5,), (0,), (3, 4), *[(40_000,)] * (char in "Id")) if shared else ((5,), (2, 20_000)):
        all = (generator.integers(0, 3, (size, *shape)) * (2 if char != "?" else 1)).astype(char)
        mine = numpy.array(all[rank], order="FC"[rank % 2])
        for op in OPERATORS:
            if char in "fdFD" and op in OPERATORS[4:] or char in "FD" and op in (mpi.MIN, mpi.MAX):
                continue
            fold = lambda values: functools.reduce(op, values)
            root = int(op.number) % size
            same(world.allreduce(mine, op), fold(all))
            found = world.reduce(mine, op, root)
            if rank == root:
                same(found, fold(all))
            else:
                assert found is None
            if len(shape) < 2 and shape != (40_000,):
                same(world.scan(mine, op), fold(all[:rank + 1]))
                found = world.exscan(mine, op)
                if rank:
                    same(found, fold(all[:rank]))
                else:
                    assert found is None
            if shape:
                counts = [shape[0] // size + (r < shape[0] % size) for r in range(size)]
                start = sum(counts[:rank])
                same(world.reduce_scatter(mine, op), fold(all)[start:start + counts[rank]])
same(world.allreduce(numpy.arange(3, dtype=">i4")), numpy.arange(3, dtype="i4") * size)
words = [chr(ord("a") + r) for r in range(size)]
assert world.allreduce(words[rank]) == "".join(words)
assert world.allreduce(rank, lambda a, b: a * 10 + b) == functools.reduce(lambda a, b: a * 10 + b, range(size))
assert world.allreduce(rank + 0.5, mpi.MAX) == size - 0.5
assert world.reduce([rank], root=size - 1) == (list(range(size)) if rank == size - 1 else None)
assert world.scan(words[rank]) == "".join(words[:rank + 1])
assert world.exscan(words[rank]) == ("".join(words[:rank]) if rank else None)
assert world.reduce_scatter([words[rank] + str(r) for r in range(size)]) == "".join(word + str(rank) for word in words)
"""
    check(launcher, count, code, tmp_path)


@everywhere
def test_communicators_of_their_own(launcher, tmp_path):
    code = """
    part = world.split(rank % 2, key=-rank)
    assert (part.rank, part.size) == (1 - rank // 2, 2)
    assert part.allgather(rank) == [rank % 2 + 2, rank % 2]
    assert (world.split(0 if rank else None) is None) == (rank == 0)
    other = world.duplicate()
    world.send("in the world", (rank + 1) % 4)
    other.send("in the other", (rank + 1) % 4)
    assert other.receive() == "in the other" and world.receive() == "in the world"
    del part, other
    world.barrier()
    """
    check(launcher, 4, code, tmp_path)


@everywhere
def test_mistakes(launcher, tmp_path):
    code = """
    def fails(kind, text, body):
        try:
            body()
        except kind as problem:
            assert text in str(problem), problem
        else:
            raise AssertionError(f"no {kind.__name__}")
    fails(mpi.InvalidArgument, "there is no rank 2", lambda: world.send(1, 2))
    fails(mpi.InvalidArgument, "there is no rank -1", lambda: world.send(1, -1))
    fails(mpi.InvalidArgument, "there is no rank -3", lambda: world.receive(-3))
    fails(mpi.InvalidArgument, "tag", lambda: world.send(1, 0, tag=-1))
    fails(mpi.InvalidArgument, "tag", lambda: world.send(1, 0, tag=mpi.LARGEST_TAG + 1))
    fails(mpi.InvalidArgument, "root", lambda: world.broadcast(1, root=5))
    fails(mpi.InvalidArgument, "for each of 2 ranks", lambda: world.alltoall([1, 2, 3]))
    fails(TypeError, "missing", lambda: world.send(1))
    fails(TypeError, "unexpected", lambda: world.send(1, to=0, tags=1))
    fails(TypeError, "", lambda: world.send(1, "one"))
    fails(TypeError, "", lambda: world.iprobe(0.5))
    import numpy
    world.send("numpy's numbers are numbers", numpy.int64(1 - rank), numpy.uint8(7))
    assert world.probe(numpy.int32(1 - rank), numpy.int8(7)).tag == 7 and world.receive(tag=numpy.int64(7))
    assert world.broadcast(rank, root=numpy.int64(1)) == 1
    fails(mpi.NotEncodable, "can't be pickled", lambda: world.send(sys._getframe(), 1 - rank))
    import copy, pickle
    fails(TypeError, "communicator", lambda: pickle.dumps(world))
    """
    check(launcher, 2, code, tmp_path)


@everywhere
def test_a_rank_that_cannot_go_on_is_told_to_the_others(launcher, tmp_path):
    code = """
    def told(body):
        try:
            body()
        except mpi.CollectiveFailed as problem:
            return problem.rank, "refuses" in str(problem)
        except ZeroDivisionError:
            return "own"
    class Refusing:
        def __reduce__(self):
            raise ZeroDivisionError("it refuses")
    def refuse(a, b):
        raise ZeroDivisionError("it refuses")
    try:
        found = told(lambda: world.allgather(Refusing() if rank == 1 else rank))
    except mpi.NotEncodable:
        found = "own"
    assert found == ("own" if rank == 1 else (1, True)), found
    assert told(lambda: world.allreduce(1, refuse)) == ("own" if rank == 0 else (0, True))
    assert told(lambda: world.scan(1, refuse)) == ("own" if rank == 0 else (0, True))
    for body in (world.allreduce, world.scan, lambda value: world.reduce_scatter([value] * size)):
        try:
            found = told(lambda: body(Refusing() if rank == 1 else rank))
        except mpi.NotEncodable:
            found = "own"
        assert found == ("own" if rank == 1 else (1, True)), found
    try:
        world.reduce_scatter([1] * (size + (rank == 2)))
    except mpi.CollectiveFailed as problem:
        assert problem.rank == 2 and rank != 2 and "a value for each of 3 ranks" in str(problem)
    except mpi.InvalidArgument:
        assert rank == 2
    try:
        world.scatter([1] if rank == 2 else None, root=2)
    except mpi.CollectiveFailed as problem:
        assert problem.rank == 2 and rank != 2
    except mpi.InvalidArgument:
        assert rank == 2
    assert world.allreduce(rank) == 3
    """
    check(launcher, 3, code, tmp_path)


@everywhere
def test_ranks_that_reduce_different_things(launcher, tmp_path):
    code = """
    import numpy
    for mine, other in (
        (lambda: world.allreduce(numpy.arange(3.0)), lambda: world.allreduce(numpy.arange(3))),
        (lambda: world.allreduce(numpy.arange(3)), lambda: world.allreduce(numpy.arange(4))),
        (lambda: world.scan(numpy.arange(3)), lambda: world.scan(numpy.arange(3), mpi.MAX)),
        (lambda: world.reduce(numpy.arange(3), root=0), lambda: world.reduce(numpy.arange(3), root=1)),
        (lambda: world.reduce_scatter(numpy.arange(3)), lambda: world.reduce_scatter(numpy.arange(3, dtype="i1"))),
        (lambda: world.allreduce(numpy.arange(3)), lambda: world.allreduce([0, 1, 2])),
        (lambda: world.allreduce([1]), lambda: world.reduce([1])),
        (lambda: world.scan(numpy.arange(3), lambda a, b: a + b), lambda: world.scan(numpy.arange(3))),
        (lambda: world.reduce(1, root=2), lambda: world.reduce(1, root=1)),
        (lambda: world.reduce_scatter(numpy.arange(3)), lambda: world.reduce_scatter([0, 1, 2])),
        (lambda: world.allreduce(numpy.ones((2, 3))), lambda: world.allreduce(numpy.ones((3, 2)))),
        (lambda: world.allreduce(numpy.ones(2, "c16")), lambda: world.allreduce(numpy.ones(1, "c16"))),
        (lambda: world.allreduce(numpy.ones(2, "f2")), lambda: world.allreduce(numpy.ones(2, "f2"), mpi.MAX)),
        (lambda: world.reduce_scatter(numpy.ones((3, 2))), lambda: world.reduce_scatter(numpy.ones((6, 1)))),
        (lambda: world.exscan(1), lambda: world.exscan(numpy.int64(1).reshape(1))),
    ):
        try:
            (other if rank == 1 else mine)()
        except mpi.InvalidArgument as problem:
            assert "all ranks must give arrays of the same type and shape" in str(problem), problem
        else:
            raise AssertionError("no error")
    assert world.allreduce(numpy.ones(3)).sum() == 9
    # With a function of the program's they may differ.
    joined = world.allreduce(numpy.full(rank, rank), lambda left, right: numpy.concatenate((left, right)))
    assert joined.tolist() == [1, 2, 2]
    """
    check(launcher, 3, code, tmp_path)


@locally
def test_a_function_may_change_what_it_is_given(launcher, tmp_path):
    code = """
    import operator
    assert world.scan([rank], operator.iadd) == list(range(rank + 1))
    assert world.exscan([rank], operator.iadd) == (list(range(rank)) if rank else None)
    assert world.allreduce([rank], operator.iadd) == [0, 1, 2]
    try:
        world.reduce(1, 0)
    except TypeError as problem:
        assert "root=" in str(problem)
    else:
        raise AssertionError("no error")
    """
    check(launcher, 3, code, tmp_path)


@locally
def test_numbers_are_not_cut_to_64_bits(launcher, tmp_path):
    code = """
    import pytest
    for attempt in (
        lambda: world.send(1, 2**64 + 1), lambda: world.isend(1, 2**64 + 1), lambda: world.iprobe(2**64),
        lambda: world.ireceive(1, 2**64), lambda: world.split(2**64 * (rank + 1)), lambda: world.broadcast(1, -2**64),
    ):
        with pytest.raises((mpi.InvalidArgument, OverflowError)):
            attempt()
    for attempt in lambda: world.iprobe(None), lambda: world.broadcast(1, root=None), lambda: world.split("a"):
        with pytest.raises(TypeError, match="are ints"):
            attempt()
    """
    check(launcher, 2, code, tmp_path)


@everywhere
def test_a_started_receive_into_memory(launcher, tmp_path):
    code = """
    import numpy, pytest
    if rank == 0:
        for value in b"abc", b"abc", numpy.arange(3, dtype="u1"), numpy.arange(3.0), numpy.arange(3.0):
            world.send(value, 1)
        world.barrier()
        world.send(bytes(100_000), 1)
    else:
        for into in bytearray(3), numpy.zeros(3, "u1"), bytearray(3):
            found = world.ireceive(0, into=into).wait()
            assert found is into and bytes(into) in (b"abc", b"\\0\\1\\2")
        with pytest.raises(TypeError):
            world.ireceive(0, into=numpy.zeros(3, ">f8"))
        with pytest.raises(mpi.TypeMismatch):
            world.receive(0, into=numpy.zeros(3, ">f8"))
        into = numpy.zeros(3)
        assert world.ireceive(0, into=into).wait().tolist() == [0, 1, 2]
        into = bytearray(100_000)
        request = world.ireceive(0, into=into)
        with pytest.raises(BufferError):
            into.clear()
        world.barrier()
        request.wait()
        into.clear()
    """
    check(launcher, 2, code, tmp_path)
