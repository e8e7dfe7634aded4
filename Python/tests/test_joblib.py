"""joblib on our workers."""

import os

import pytest

import apus

joblib = pytest.importorskip("joblib")
numpy = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def registered():
    apus.register_joblib()
    with joblib.parallel_config("apus", n_jobs=2):
        yield


def square(n):
    return n * n


def test_parallel():
    calls = (joblib.delayed(square)(n) for n in range(500))
    assert joblib.Parallel()(calls) == [n * n for n in range(500)]
    assert joblib.Parallel(n_jobs=1)(joblib.delayed(square)(n) for n in range(3)) == [0, 1, 4]
    processes = joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(20))
    assert os.getpid() not in processes
    found = joblib.Parallel(return_as="generator")(joblib.delayed(square)(n) for n in range(20))
    assert list(found) == [n * n for n in range(20)]


def test_failures():
    def fail(n):
        raise ValueError(n)

    with pytest.raises(ValueError):
        joblib.Parallel()(joblib.delayed(fail)(n) for n in range(5))
    with pytest.raises(apus.WorkerDied):
        joblib.Parallel()(joblib.delayed(lambda n: os._exit(1) if n == 3 else n)(n) for n in range(5))
    assert joblib.Parallel()(joblib.delayed(square)(n) for n in range(5)) == [0, 1, 4, 9, 16]


def test_arrays_and_threads():
    arrays = [numpy.full((100, 100), n) for n in range(4)]
    found = joblib.Parallel()(joblib.delayed(numpy.transpose)(array) for array in arrays)
    assert all((one == array.T).all() for one, array in zip(found, arrays))
    with joblib.parallel_config("apus", n_jobs=2, inner_max_num_threads=1):
        widths = joblib.Parallel()(joblib.delayed(os.getenv)("OMP_NUM_THREADS") for _ in range(4))
    assert widths == ["1"] * 4
