"""A `concurrent.futures` executor whose tasks can be ended one by one."""

import atexit
import concurrent.futures
import os
import threading
import weakref

from ._call import Call
from ._outcome import Failure
from ._progress import watched
from ._protocol import ON_ARGUMENTS, ON_CALL
from ._settings import Late, deadline
from ._single import PENDING, SingleCall
from .pool import Pool, cpu_count
from .results import Results

__all__ = ["Executor", "Future"]

_executors = weakref.WeakSet()
# Before the interpreter stops to start threads.
_at_exit = getattr(threading, "_register_atexit", atexit.register)


class Future(concurrent.futures.Future):
    """Of a task of an `Executor`. `cancel` also ends one that runs: its worker is killed, and replaced."""

    _call = None

    def cancel(self):
        """Ends the task, unless it is over. True if it is cancelled."""
        is_cancelled = super().cancel()
        if is_cancelled and self._call is not None:
            self._call.cancel()
        return is_cancelled

    def running(self):
        """Whether a worker is at it."""
        return not self.done() and self._call is not None and self._call.has_begun()


class Executor(concurrent.futures.Executor):
    """Worker processes behind the interface of `concurrent.futures`.

    As with `apus.Pool`, a worker that dies costs the task that it was at, whose future raises `WorkerDied`, and no other; no main
    guard is needed. `max_workers`, `initializer`, `initargs` and `max_tasks_per_child` are those of `ProcessPoolExecutor`; the
    rest is `Pool`'s.
    """

    def __init__(
        self, max_workers=None, mp_context=None, initializer=None, initargs=(), *, max_tasks_per_child=None,
        time_limit=None, retries=0, memory_limit=None, name=None, start="template", prepare=(), start_timeout=60,
        environment=None,
    ):
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._pool = Pool(
            max_workers, initializer, initargs, max_tasks_per_child, time_limit=time_limit, retries=retries,
            memory_limit=memory_limit, name=name, start=start, prepare=prepare, start_timeout=start_timeout,
            environment=environment)
        self._max_workers = max_workers or cpu_count()
        self._open = set()
        self._lock = threading.Lock()
        self._is_shut_down = False
        _executors.add(self)

    def submit(self, fn, /, *args, **kwargs):
        """Calls `fn(*args, **kwargs)` in a worker: a `Future`."""
        future, pool = Future(), self._pool
        with self._lock:
            self._check_open()
        try:
            call = SingleCall(
                pool._engine, pool._function(fn, ON_CALL), args, kwargs, pool._settings(None, None))
            call.prepare()
        except Exception as error:
            future.set_exception(error)
            return future
        future._call = call
        with self._lock:
            self._check_open()
            self._open.add(future)
            call.begin()
        if call.result is PENDING:
            pool._tell_ending(call.job, lambda: self._settle(future, call))
        else:
            self._settle(future, call)
        return future

    def _settle(self, future, call):
        """On the pool's thread, when the call is over."""
        while call.result is PENDING:
            call.step(0)
        with self._lock:
            self._open.discard(future)
        if not future.set_running_or_notify_cancel():
            return
        if type(call.result) is Failure:
            future.set_exception(call.result.error)
        else:
            future.set_result(call.result)

    def map(self, fn, *iterables, timeout=None, chunksize=1, buffersize=None, progress=None):
        """The results of `fn` on each item, or on items of several iterables, in order.

        Items are drawn as the workers want them; with `buffersize` at most so many are ahead of the results that were taken.
        `progress` is that of `Pool.map`.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and (not isinstance(buffersize, int) or buffersize < 1):
            raise ValueError("buffersize must be None or > 0")
        with self._lock:
            self._check_open()
        pool = self._pool
        inputs = zip(*iterables)
        limit = _Limit(buffersize) if buffersize is not None else None
        function = pool._function(fn, ON_ARGUMENTS)
        settings = pool._settings(None, None, chunksize)
        call = watched(Call, progress, *iterables)(pool._engine, function, inputs, settings, limit)
        return _results(Results(pool, call, True), deadline(timeout), limit)

    def share(self, value):
        """`Pool.share`."""
        return self._pool.share(value)

    def _check_open(self):
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Takes no more tasks. Those that were given are done, or, with `cancel_futures`, cancelled unless they run."""
        with self._lock:
            self._is_shut_down = True
            waiting = list(self._open)
        if cancel_futures:
            for future in waiting:
                if not future.running():
                    future.cancel()
        self._pool.close()
        if wait:
            concurrent.futures.wait(waiting)
            self._pool.join()

    def terminate_workers(self):
        """Ends all workers at once, and the executor: what is not over raises `PoolBroken`."""
        with self._lock:
            self._is_shut_down = True
        self._pool.terminate()

    kill_workers = terminate_workers


class _Limit:
    """How many more items may be drawn."""

    def __init__(self, room):
        self.room = room


def _results(results, end, limit):
    try:
        while True:
            try:
                value = results._take(end)
            except StopIteration:
                return
            except Late:
                raise concurrent.futures.TimeoutError from None
            finally:
                if limit is not None:
                    limit.room += 1
            yield value
    finally:
        results.close()


@_at_exit
def _finish_all():
    """As `concurrent.futures` does: what was submitted is done before the program ends."""
    for executor in list(_executors):
        if executor._pool._owner == os.getpid():
            executor.shutdown()
