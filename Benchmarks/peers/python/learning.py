"""scikit-learn on a backend of joblib's: the first call of a program, and those after it. One line of JSON.

    learning.py GridSearchCV first apus     ->  {"seconds": 1.9, "count": 1}
"""

import json
import statistics
import sys
import time

import joblib
import numpy
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.svm import SVC

X, Y = make_classification(n_samples=1500, n_features=20, random_state=0)


def cross_validate(jobs):
    return cross_val_score(RandomForestClassifier(20, random_state=0), X, Y, cv=20, n_jobs=jobs)


def search(jobs):
    grid = {"C": [0.1, 1, 10, 100], "gamma": [0.001, 0.01, 0.1, 1]}
    found = GridSearchCV(SVC(), grid, cv=5, n_jobs=jobs).fit(X[:500], Y[:500])
    return found.cv_results_["mean_test_score"]


def main(work, moment, backend):
    body = {"cross_val_score": cross_validate, "GridSearchCV": search}[work]
    expected = body(1)
    if backend == "apus":
        import apus

        apus.register_joblib()
    times = []
    with joblib.parallel_config(backend):
        for _ in range(1 if moment == "first" else 6):
            start = time.perf_counter()
            found = body(2)
            times.append(time.perf_counter() - start)
            assert numpy.array_equal(found, expected)
    print(json.dumps({"seconds": times[0] if moment == "first" else statistics.median(times[1:]), "count": 1}))


if __name__ == "__main__":
    main(*sys.argv[1:])
