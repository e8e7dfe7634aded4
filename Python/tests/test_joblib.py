"""joblib on our workers."""

import os
import time

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


def test_workers_stay_for_the_next_call():
    def processes():
        return set(joblib.Parallel(batch_size=1)(joblib.delayed(nap)(0.01) for _ in range(20)))

    first = processes()
    assert processes() == first and len(first) == 2
    # A call amid another one.
    inside = joblib.Parallel(return_as="generator", batch_size=1)(joblib.delayed(nap)(0.01) for _ in range(20))
    assert next(inside) in first and processes() == first
    assert set(inside) == first
    inside = joblib.Parallel(return_as="generator", batch_size=1)(joblib.delayed(nap)(0.01) for _ in range(20))
    assert next(inside) in first
    with joblib.parallel_config("apus", n_jobs=3):
        assert len(processes()) == 3
    assert len(list(inside)) == 19
    with pytest.raises(apus.WorkerDied):
        joblib.Parallel()([joblib.delayed(os._exit)(1)])
    assert len(processes()) == 2


def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


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


def test_scikit_learn_finds_the_same():
    pytest.importorskip("sklearn")
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score

    x, y = make_classification(200, random_state=0)
    model = LogisticRegression()

    def found(jobs):
        grid = GridSearchCV(model, {"C": [0.1, 1, 10]}, cv=3, n_jobs=jobs).fit(x, y)
        return cross_val_score(model, x, y, cv=5, n_jobs=jobs), grid.cv_results_["mean_test_score"]

    assert all((ours == theirs).all() for ours, theirs in zip(found(2), found(1)))
