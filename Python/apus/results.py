"""What calls come to: lists, iterators, and results that are asked for later."""

import contextlib
import os
import sys
import threading
import time
from types import GenericAlias

from ._native import end_loans
from ._outcome import Failure, Mixed
from ._protocol import ON_CALL
from ._settings import SLICE, Late, deadline
from ._single import PENDING, SingleCall
from .errors import FORKED, PoolClosed

__all__ = ["AsyncResult", "Results"]


def collect(call, count):
    """All results of a call by index. Raises the failure of the first task that has one, once all are over."""
    values = [None] * count
    call.fill(values)
    bad = None
    try:
        for first, results in call:
            if len(results) == 1:
                values[first] = results[0]
                if type(results[0]) is Failure:
                    bad = first if bad is None else min(bad, first)
                continue
            values[first:first + len(results)] = results
            if type(results) is Mixed:
                for place, result in enumerate(results, first):
                    if type(result) is Failure:
                        bad = place if bad is None else min(bad, place)
                        break
    except BaseException:
        call.cancel()
        raise
    end_loans()
    if bad is not None:
        raise values[bad].error
    return values


def value_of(result):
    if type(result) is Failure:
        raise result.error
    return result


class Results:
    """The results of a call, one after the other. Several threads may read them."""

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, pool, call, is_ordered):
        self._pool, self._call, self._is_ordered = pool, call, is_ordered
        self._ready, self._waiting, self._next = [], {}, 0
        self._lock, self._is_read = threading.RLock(), False
        with pool._lock:
            pool._iterators.add(self)
        call.feed()

    def __iter__(self):
        return self

    def __next__(self):
        return self._take(None)

    def next(self, timeout=None):
        """The same. `multiprocessing.TimeoutError` if there is none in so many seconds; it may come later."""
        try:
            return self._take(deadline(timeout))
        except Late:
            from multiprocessing import TimeoutError

            raise TimeoutError from None

    def _take(self, end):
        with self._alone(end):
            self._call.end = end
            while not self._ready:
                self._add(*next(self._call))
            return value_of(self._ready.pop())

    @contextlib.contextmanager
    def _alone(self, end=None):
        """One thread at a time. `Late` if it is not this one's turn by then."""
        is_mine = False
        try:
            while not is_mine:
                left = 1 if end is None else min(1, max(0, end - time.monotonic()))
                # If it is interrupted just here this thread has the lock, but can go on: the lock counts.
                is_mine = self._lock.acquire(timeout=left)
                if not is_mine and left < 1:
                    raise Late
            if self._is_read:
                raise RuntimeError("the iterator of results is read by its own inputs")
            self._is_read = True
            try:
                yield
            finally:
                self._is_read = False
        finally:
            if is_mine:
                self._lock.release()

    def _add(self, first, results):
        if not self._is_ordered:
            self._ready = results[::-1]
            return
        self._waiting[first] = results
        found = []
        while self._next in self._waiting:
            results = self._waiting.pop(self._next)
            self._next += len(results)
            found += results
        self._ready = found[::-1]

    def drain(self):
        """Has the rest of the inputs drawn and done. The results are kept."""
        call = self._call
        call.limit = None
        while call.over is None:
            with self._alone():
                call.end = None
                if call.over is None:
                    call.step()

    def close(self):
        """No more results are wanted: what is not over is ended."""
        self._call.cancel()


class AsyncResult:
    """What a call will have come to."""

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, pool, callback, error_callback):
        self._pool, self._callback, self._error_callback = pool, callback, error_callback
        self._done = threading.Event()
        self._success, self._outcome = None, None

    def _settle(self, success, outcome):
        self._success, self._outcome = success, outcome
        callback = self._callback if success else self._error_callback
        if callback is not None:
            try:
                callback(outcome)
            except BaseException:
                report()
        self._callback = self._error_callback = None
        self._done.set()

    def ready(self):
        """Whether it is over."""
        return self._done.is_set()

    def successful(self):
        """Whether it has a value. ValueError if it is not over."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._success

    def wait(self, timeout=None):
        """Waits until it is over, or so many seconds."""
        if self._pool._owner != os.getpid() and not self._done.is_set():
            raise PoolClosed(FORKED)
        self._done.wait(timeout)

    def get(self, timeout=None):
        """The value, or what the task raised. `multiprocessing.TimeoutError` if it is not over in so many seconds."""
        self.wait(timeout)
        if not self.ready():
            from multiprocessing import TimeoutError

            raise TimeoutError
        if self._success:
            return self._outcome
        raise self._outcome

    def cancel(self):
        """Ends what is not over, also what runs."""
        self._call.cancel()


class MapResult(AsyncResult):
    """Of `map_async`: a thread drives the call."""

    def __init__(self, pool, call, count, callback, error_callback):
        super().__init__(pool, callback, error_callback)
        self._call = call
        threading.Thread(target=self._drive, args=(call, count), daemon=True, name="apus-map").start()

    def _drive(self, call, count):
        try:
            success, outcome = True, collect(call, count)
        except BaseException as error:
            success, outcome = False, error
        self._settle(success, outcome)


class SingleResult(AsyncResult):
    """Of `apply_async`. Whoever waits for it drives it; if nobody does and there are callbacks, the pool's thread."""

    def __init__(self, pool, func, args, kwds, callback, error_callback, settings):
        super().__init__(pool, callback, error_callback)
        self._taking = threading.Lock()
        self._call = SingleCall(pool._engine, pool._function(func, ON_CALL), tuple(args), kwds, settings)
        self._call.begin()
        # Callbacks are the pool's thread's to call, whoever waits.
        self._has_callbacks = callback is not None or error_callback is not None
        if self._has_callbacks:
            if self._call.job is not None:
                pool._tell_ending(self._call.job, self._take)
            else:
                threading.Thread(target=self._take, daemon=True).start()

    def _take(self, timeout=None):
        """Takes the result if it comes in time."""
        end = deadline(timeout)
        if not self._taking.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
            return
        try:
            while not self._done.is_set():
                result = self._call.result
                if result is not PENDING:
                    is_failure = type(result) is Failure
                    return self._settle(not is_failure, result.error if is_failure else result)
                left = SLICE if end is None else min(SLICE, int(max(0, end - time.monotonic()) * 1e9))
                self._call.step(left)
                if self._call.result is PENDING and left == 0:
                    return
        finally:
            self._taking.release()

    def ready(self):
        if not self._has_callbacks and not self._done.is_set():
            self._take(0)
        return self._done.is_set()

    def wait(self, timeout=None):
        if self._has_callbacks:
            super().wait(timeout)
        elif not self._done.is_set():
            self._take(timeout)


def report():
    """Shows an exception that nobody is there to catch."""
    try:
        sys.excepthook(*sys.exc_info())
    except BaseException:
        pass
