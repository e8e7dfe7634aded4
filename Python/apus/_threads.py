"""A pool whose workers are threads of this process.

For free-threaded builds, and for code that releases the interpreter lock.
"""

import collections
import contextlib
import itertools
import os
import queue
import threading
import time
import weakref

from ._call import length_of
from ._outcome import Failure, Group, Mixed
from ._protocol import ON_ARGUMENTS, ON_CALL, ON_ONE
from ._settings import SLICE, Late
from .errors import FORKED, PoolBroken, PoolClosed, TaskCancelled, TaskExited
from .pool import Pool, _pools
from .results import AsyncResult
from .shared import share_with_threads
from .worker import Worker, here

# No longer group: whoever waits for a result of it would wait long.
GROUP_MOST = 1000
# What is for processes, as it is if it is not asked for; and why.
_FOR_PROCESSES = {
    "maxtasksperchild": (None, "a thread is not replaced"),
    "time_limit": (None, "a thread can't be killed"),
    "memory_limit": (None, "threads have no memory of their own"),
    "start": ("template", "threads are not started as processes are"),
    "prepare": ((), "threads see what this program has imported and made"),
    "environment": (None, "threads have this program's"),
}


class ThreadPool(Pool):
    """`Pool(kind="thread")`."""

    def __init__(
        self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None, *, kind="thread",
        retries=0, name=None, start_timeout=60, **others,
    ):
        for option, value in {"maxtasksperchild": maxtasksperchild, **others}.items():
            if option not in _FOR_PROCESSES:
                raise TypeError(f"Pool got an unexpected keyword argument {option!r}")
            _refuse(option, value)
        start_timeout = self._set_up(processes, initializer, initargs, name, start_timeout)
        self._time_limit, self._retries, self._memory_limit = None, retries, None
        self._engine = _Threads(self._processes, self._name, initializer, initargs, start_timeout)
        self._Call = ThreadCall
        _pools.add(self)

    def _function(self, function, mode):
        if not callable(function):
            raise TypeError(f"{function!r} is not callable")
        return _ways[mode], function

    def _settings(self, time_limit, retries, group=None):
        _refuse("time_limit", time_limit)
        return super()._settings(None, retries, group)

    def apply(self, func, args=(), kwds={}):
        """Calls `func(*args, **kwds)` in a worker, and returns what it returns."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None, *, time_limit=None, retries=None):
        """The same without waiting: an `AsyncResult`."""
        self._check_running()
        self._settings(time_limit, retries)
        return ThreadResult(self, self._function(func, ON_CALL), (tuple(args), kwds), callback, error_callback)

    def share(self, value):
        """Of threads, `value` itself is what they see."""
        self._check_running()
        return share_with_threads(value)

    @property
    def pids(self):
        """No worker is a process."""
        return []

    @property
    def statistics(self):
        """How many tasks (groups of short ones count as one) were submitted, and what has become of them."""
        return self._engine.statistics()


def _refuse(option, value):
    usual, why = _FOR_PROCESSES[option]
    if value is not usual and value != usual:
        raise ValueError(f'{option} is for kind="process": {why}')


_all = weakref.WeakSet()


def _end_copies():
    """In a fork of this process, which has none of its threads."""
    for threads in list(_all):
        # Somebody may have held it.
        threads.lock = threading.Lock()
        threads.problem = PoolClosed(FORKED)


os.register_at_fork(after_in_child=_end_copies)


class _Threads:
    """The threads, and what waits for them."""

    def __init__(self, count, name, initializer, initargs, start_timeout):
        self.workers = self.starting = count
        # Of each thing to do: a call of which a group waits, or a single one; None: a thread is to end.
        self.queue = queue.SimpleQueue()
        # Why nothing more is done, and the single calls that are to hear of it.
        self.problem, self.singles = None, set()
        # Calls of many, which may have more to give.
        self.calls = weakref.WeakSet()
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.threads = [
            threading.Thread(
                target=self.serve, args=(number, initializer, initargs), name=f"{name}-{number}", daemon=True)
            for number in range(count)]
        self.patience = threading.Timer(
            start_timeout, self.end, [PoolBroken(f"an initializer has not returned after {start_timeout:g} s")])
        self.patience.daemon = True
        _all.add(self)
        try:
            if initializer is not None:
                self.patience.start()
            for thread in self.threads:
                thread.start()
        except RuntimeError:  # there are too many
            self.shut_down(0)
            raise

    def serve(self, number, initializer, initargs):
        here.worker = Worker(number, 1, {}, self)
        try:
            if initializer is not None:
                initializer(*initargs)
        except BaseException as error:
            problem = PoolBroken(f"the initializer of a worker raised {type(error).__name__}: {error}")
            problem.__cause__ = error
            return self.end(problem)
        with self.lock:
            self.starting -= 1
        if self.starting == 0:
            self.patience.cancel()
        while (call := self.queue.get()) is not None:
            if self.problem is None:
                call.run_next()
            del call

    def end(self, problem):
        """Nothing more is done."""
        self.patience.cancel()
        with self.lock:
            if self.problem is None:
                self.problem = problem
            left, self.singles = self.singles, set()
        for single in left:
            single.drop()
            single._settle(False, self.problem)
        for call in list(self.calls):
            call.drop()

    def shut_down(self, grace):
        """Ends the threads as `PoolEngine.shutDown` does processes. Tasks that run go on to their ends."""
        if grace == 0:
            self.end(PoolClosed("the pool is closed"))
        while any(call.has_more() for call in list(self.calls)):
            time.sleep(0.01)
        for _ in self.threads:
            self.queue.put(None)
        if grace:
            for thread in self.threads:
                thread.join()

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] += by

    def statistics(self):
        with self.lock:
            found = {name: self.counts[name] for name in "submitted running succeeded failed cancelled".split()}
        found["queued"] = found["submitted"] - sum(found[name] for name in found if name != "submitted")
        return {**found, "retried": 0, "restarts": 0, "recycled": 0}


_ways = {
    ON_ONE: lambda function, item: function(item),
    ON_ARGUMENTS: lambda function, item: function(*item),
    ON_CALL: lambda function, item: function(*item[0], **item[1]),
}


def _result(way, function, item, index):
    try:
        return way(function, item)
    except Exception as error:
        return Failure(error)
    except BaseException as error:
        # Raised where it is waited for it would end this program.
        outer = TaskExited(f"it raised {type(error).__name__}{f': {error}' if str(error) else ''}", index)
        outer.__cause__ = error
        return Failure(outer)


def _worker_of(threads):
    """Which of these threads this is, if it is one."""
    found = getattr(here, "worker", None)
    return found if found is not None and found._threads is threads else None


@contextlib.contextmanager
def _as(worker):
    before, here.worker = getattr(here, "worker", None), worker
    try:
        yield
    finally:
        here.worker = before


class ThreadCall:
    """`Call` of threads: an iterator of each group's first index and results, in the order in which they come."""

    def __init__(self, threads, function, inputs, settings):
        self.threads, (self.way, self.function), self.size = threads, function, settings.group
        self.inputs, self.is_drawn, self.input_error = iter(inputs), False, None
        self.length = length_of(inputs)
        self.drawn = 0
        # Groups that have no results yet, and those of them that are not begun; what has come back.
        self.groups, self.waiting, self.finished = {}, collections.deque(), queue.SimpleQueue()
        self.is_cancelled = False
        self.ready, self.over, self.end = collections.deque(), None, None
        # A call of a worker's is also done by that one, or all could wait for each other.
        self.worker = _worker_of(threads)
        threads.calls.add(self)

    def fill(self, values):
        """See `Call`: results are always handed out."""

    def has_more(self):
        return not self.is_drawn and not self.is_cancelled and self.threads.problem is None

    def feed(self):
        while self.has_more() and len(self.groups) < 2 * self.threads.workers:
            group = self._next_group()
            if group is not None:
                self.threads.count("submitted")
                self.waiting.append(group)
                self.threads.queue.put(self)
                self.groups[group.first] = group
        if self.threads.problem is not None:
            self.drop()

    def _next_group(self):
        size = self.size
        if size is None:
            # So that the workers end together.
            left = 0 if self.length is None else self.length - self.drawn
            size = min(max(1, left // (4 * self.threads.workers)), GROUP_MOST)
        items = []
        try:
            items.extend(itertools.islice(self.inputs, size))
        except Exception as error:
            self.input_error = error
        except BaseException:
            self.inputs = itertools.chain(items, self.inputs)
            raise
        if len(items) < size:
            self.is_drawn = True
        if not items:
            return None
        group = Group(self.drawn, items)
        self.drawn += len(items)
        return group

    def run_next(self):
        """Does a group that waits, if one does."""
        try:
            group = self.waiting.popleft()
        except IndexError:
            return
        self.threads.count("running")
        results = Mixed()
        for place, item in enumerate(group.items):
            if self.is_cancelled:
                break
            results.append(_result(self.way, self.function, item, group.first + place))
        ended = "cancelled" if self.is_cancelled else "failed" if Failure in map(type, results) else "succeeded"
        self.threads.count("running", -1)
        self.threads.count(ended)
        self.finished.put((group.first, results))

    def __iter__(self):
        return self

    def __next__(self):
        while not self.ready:
            if self.over is not None:
                raise self.over
            self.step()
        return self.ready.popleft()

    def step(self):
        self.feed()
        if self.worker is not None and self.waiting:
            with _as(self.worker):
                self.run_next()
        try:
            wait = 0 if self._is_late() else SLICE / 1e9
            first, results = self.finished.get(wait > 0, wait or None)
        except queue.Empty:
            return self._look()
        self.groups.pop(first, None)
        if not self.is_cancelled:
            self.ready.append((first, results))

    def _is_late(self):
        return (
            not self.groups or self.is_cancelled or self.threads.problem is not None
            or self.end is not None and time.monotonic() >= self.end)

    def _look(self):
        """Nothing has come back."""
        if self.is_cancelled:
            self.over = TaskCancelled("the call was cancelled")
        elif self.is_drawn and not self.groups:
            self.over = self.input_error or StopIteration()
        elif self.threads.problem is not None:
            self.over = self.threads.problem
        elif self.end is not None and time.monotonic() >= self.end:
            raise Late

    def cancel(self):
        """Drops what waits. What runs goes on to the end of its task."""
        self.is_cancelled = True
        self.drop()

    def drop(self):
        """What waits is not done."""
        while self.waiting:
            try:
                self.waiting.popleft()
            except IndexError:
                return
            self.threads.count("cancelled")


class ThreadResult(AsyncResult):
    """Of `apply_async`."""

    def __init__(self, pool, function, arguments, callback, error_callback):
        super().__init__(pool, callback, error_callback)
        self._threads, self._function, self._arguments = pool._engine, function, arguments
        self._begun = threading.Lock()
        self._worker = _worker_of(pool._engine)
        self._threads.count("submitted")
        with self._threads.lock:
            problem = self._threads.problem
            if problem is None:
                self._threads.singles.add(self)
        if problem is None:
            self._threads.queue.put(self)
        else:
            self.drop()
            self._settle(False, problem)

    def run_next(self):
        if not self._begun.acquire(blocking=False):
            return
        self._threads.count("running")
        result = _result(*self._function, self._arguments, None)
        is_failure = type(result) is Failure
        self._threads.count("running", -1)
        self._threads.count("failed" if is_failure else "succeeded")
        self._settle_once(not is_failure, result.error if is_failure else result)

    def _settle_once(self, success, outcome):
        """Unless it was given up."""
        with self._threads.lock:
            if self not in self._threads.singles:
                return
            self._threads.singles.remove(self)
        self._settle(success, outcome)

    def wait(self, timeout=None):
        if self._worker is not None and not self.ready():
            with _as(self._worker):
                self.run_next()
        super().wait(timeout)

    def cancel(self):
        """Gives it up. If it runs, it goes on to its end, and nothing comes of it."""
        self.drop()
        self._settle_once(False, TaskCancelled("the task was cancelled"))

    def drop(self):
        """It is not done, unless it has begun."""
        if self._begun.acquire(blocking=False):
            self._threads.count("cancelled")
