"""joblib on our workers: `apus.register_joblib()`, then `joblib.parallel_config("apus")` or `Parallel(backend="apus")`."""

from joblib import register_parallel_backend
from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from .executor import Executor
from .pool import cpu_count


class ApusBackend(AutoBatchingMixin, ParallelBackendBase):
    """A worker that dies costs its batch, which raises `WorkerDied`; the others go on."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True

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
        environment = self._prepare_worker_env(n_jobs)
        self._executor = Executor(n_jobs, environment=environment)
        self.parallel = parallel
        return n_jobs

    def submit(self, func, callback=None):
        future = self._executor.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit  # before joblib 1.5

    def retrieve_result_callback(self, out):
        return out.result()

    def terminate(self):
        self._executor.terminate_workers()

    def abort_everything(self, ensure_ready=True):
        self._executor.terminate_workers()
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)


def register():
    register_parallel_backend("apus", ApusBackend)
