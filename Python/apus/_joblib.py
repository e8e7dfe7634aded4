"""joblib on our workers: `apus.register_joblib()`, then `joblib.parallel_config("apus")` or `Parallel(backend="apus")`."""

import os
import threading
from typing import NamedTuple

from joblib import register_parallel_backend
from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from .executor import Executor
from .pool import cpu_count


class _Kept:
    """The workers of the last call, for the next one: they have imported what it needs."""

    def __init__(self):
        self._lock, self._key, self._executor = threading.Lock(), None, None

    def take(self, key):
        """An executor that is nobody else's until it is put back."""
        with self._lock:
            executor, self._executor, is_fit = self._executor, None, self._key == key
        if executor is not None:
            if is_fit:
                return executor
            executor.shutdown(wait=False)
        return Executor(key.n_jobs, environment=dict(key.environment))

    def put_back(self, key, executor):
        with self._lock:
            other, self._key, self._executor = self._executor, key, executor
        if other is not None:
            other.shutdown(wait=False)


class _Key(NamedTuple):
    """What workers are that one call may take over from another."""

    n_jobs: int
    environment: tuple
    program: int
    folder: str


_kept = _Kept()


class ApusBackend(AutoBatchingMixin, ParallelBackendBase):
    """A worker that dies costs its batch, which raises `WorkerDied`; the others go on."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    # One of these serves several calls at a time where the reader of a generator of results makes another call.
    _executor, _key, _users = None, None, 0

    def effective_n_jobs(self, n_jobs):
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return max(cpu_count() + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs=1, parallel=None, prefer=None, require=None, **options):
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        # Before the workers import what would start as many threads as there are processors, each.
        environment = tuple(sorted(self._prepare_worker_env(n_jobs).items()))
        key = _Key(n_jobs, environment, os.getpid(), os.getcwd())
        if key != self._key:
            self._let_go()
        self._key, self.parallel = key, parallel
        self._users += 1
        return n_jobs

    def submit(self, func, callback=None):
        if self._executor is None:
            self._executor = _kept.take(self._key)
        future = self._executor.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit  # before joblib 1.5

    def retrieve_result_callback(self, out):
        return out.result()

    def terminate(self):
        self._users -= 1
        if self._users == 0:
            self._let_go()

    def _let_go(self):
        executor, self._executor = self._executor, None
        if executor is not None:
            _kept.put_back(self._key, executor)

    def abort_everything(self, ensure_ready=True):
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.terminate_workers()


def register():
    register_parallel_backend("apus", ApusBackend)
