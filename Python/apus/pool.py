"""A pool of worker processes, in the manner of `multiprocessing.Pool`."""

import atexit
import contextlib
import ctypes
import itertools
import os
import sys
import threading
import time
import warnings
import weakref
from types import FunctionType

from . import _native as native
from . import _worker
from ._call import PENDING, SLICE, Call, Failure, Late, Settings, SingleCall, deadline
from ._codec import bindings, dump_function, dumps, is_by_value
from .errors import PoolClosed

_pools = weakref.WeakSet()
_names = itertools.count(1)


def cpu_count():
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class _Known:
    """A function that was pickled, and what it referred to then."""

    __slots__ = ("function", "bindings", "handles")

    def __init__(self, function, mode, handle, others):
        # Another object may have its number once it is gone.
        self.function = weakref.ref(function, lambda _, key=id(function): others.pop(key, None))
        self.bindings = bindings(function) if is_by_value(function) else ()
        self.handles = {mode: handle}


class Engine(native.Handle):
    """A pool of the engine's."""

    __slots__ = ("workers",)


class Pool:
    """Worker processes that call functions.

    A worker that dies costs the task that it was at, which raises `WorkerDied`, and no other. No main guard is needed: a worker
    does not import the main module, its functions and classes travel by value. Nor is `close`: what is left ends with the
    program.

    `processes`: how many workers; as many as there are processors if None.
    `initializer`: called with `initargs` in each worker before its first task.
    `maxtasksperchild`: after how many tasks a worker is replaced.
    `time_limit`: seconds that a task may take before its worker is killed.
    `retries`: how often a task is tried again whose worker has died.
    `memory_limit`: bytes that a worker may hold.
    `start`: "template" forks each worker from a clean interpreter of one thread, which has imported the modules that are named in
    `prepare`, or has called it if it is a function: large state is shared, and a new worker costs milliseconds. "fresh" starts an
    interpreter for each.
    `start_timeout`: seconds that a worker may take until its first task: to import, to prepare, to call the initializer.
    `environment`: variables that workers have besides those of this program, from before they import anything.
    """

    def __init__(
        self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None, *,
        time_limit=None, retries=0, memory_limit=None, name=None, start="template", prepare=(),
        start_timeout=60, environment=None,
    ):
        if _worker.importing:
            raise RuntimeError(
                "a pool is made while a worker imports this module: make it inside of a function, or under "
                "`if __name__ == '__main__':`, or each worker would start workers in turn")
        processes = cpu_count() if processes is None else processes
        if processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        self._processes, self._time_limit, self._retries = processes, time_limit, retries
        self._name = name or f"pool-{next(_names)}"
        # What is known of functions, by their `id`; and definitions by their bytes.
        self._functions, self._sent = {}, {}
        self._lock = threading.Lock()
        self._callbacks = {}
        self._tokens = itertools.count(1)
        self._listener = None
        # Iterators of results, which whoever ends the pool has to draw to their ends.
        self._iterators = weakref.WeakSet()
        self._ending = None
        self._state = "RUN"
        self._owner = os.getpid()
        if start not in ("template", "fresh"):
            raise ValueError(f'start must be "template" or "fresh", not {start!r}')
        if start == "fresh" and prepare:
            raise ValueError('`prepare` is for start="template"; use `initializer` here')
        hook = None if initializer is None else self._define(initializer, _worker.HOOK)
        argument = dumps(tuple(initargs)) if initializer is not None else b""
        arguments = _command("_worker")
        variables = _variables(environment or {})
        patience = min(int(start_timeout * 1000), (1 << 31) - 1)
        self._template = _template(prepare, variables, patience) if start == "template" else None
        config = native.Config(
            workers=processes, executable=arguments[0], arguments=native.strings(arguments),
            environment=native.strings([b"%s=%s" % pair for pair in {**os.environb, **variables}.items()]),
            workers_template=self._template and self._template.pointer, start_limit=int(start_timeout * 1e9), name=self._name.encode(),
            start_function=hook and hook.pointer, start_argument=argument,
            start_length=len(argument), tasks_per_worker=maxtasksperchild or 0, memory_limit=memory_limit or 0,
            retries_alone=0, restarts=-1)
        problem = ctypes.create_string_buffer(4096)
        pointer = native.pool_new(ctypes.byref(config), problem, len(problem))
        if not pointer:
            raise OSError(problem.value.decode("utf-8", "replace"))
        self._engine = Engine(pointer)
        self._engine.workers = processes
        _pools.add(self)

    # Functions

    def _define(self, function, mode):
        """The same bytes are sent to a worker once."""
        data = dump_function(function) + bytes([mode])
        with self._lock:
            handle = self._sent.pop(data, None) or native.Handle(native.function_new(data, len(data)))
            if len(data) < 64 << 10:
                self._sent[data] = handle
            while len(self._sent) > 32:
                del self._sent[next(iter(self._sent))]
        return handle

    def _function(self, function, mode):
        """Pickles a function, unless it was and what it refers to is bound as it was then."""
        known = self._functions.get(id(function))
        if known is not None and known.function() is function:
            for names, name, value in known.bindings:
                if names.get(name, known) is not value:
                    break
            else:
                found = known.handles.get(mode)
                if found is None:
                    found = known.handles[mode] = self._define(function, mode)
                return found
        if not callable(function):
            raise TypeError(f"{function!r} is not callable")
        handle = self._define(function, mode)
        # Of other callables nobody knows what they refer to.
        if type(function) is FunctionType:
            self._functions[id(function)] = _Known(function, mode, handle, self._functions)
        return handle

    # Calls of one task

    def apply(self, func, args=(), kwds={}):
        """Calls `func(*args, **kwds)` in a worker, and returns what it returns."""
        self._check_running()
        return _value(SingleCall(
            self._engine, self._function(func, _worker.ON_CALL), tuple(args), kwds, self._settings(None, None)).run())

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None, *, time_limit=None, retries=None):
        """The same without waiting: an `AsyncResult`."""
        self._check_running()
        return SingleResult(self, func, args, kwds, callback, error_callback, self._settings(time_limit, retries))

    def _settings(self, time_limit, retries, group=None):
        return Settings(
            self._time_limit if time_limit is None else time_limit, self._retries if retries is None else retries, group)

    # Calls of many

    def map(self, func, iterable, chunksize=None, *, time_limit=None, retries=None):
        """Calls `func` on each item, and returns the results in order."""
        return self._all(func, _worker.ON_ONE, iterable, chunksize, time_limit, retries)

    def starmap(self, func, iterable, chunksize=None, *, time_limit=None, retries=None):
        """The same for items that are the arguments of a call each."""
        return self._all(func, _worker.ON_ARGUMENTS, iterable, chunksize, time_limit, retries)

    def map_async(
        self, func, iterable, chunksize=None, callback=None, error_callback=None, *, time_limit=None, retries=None
    ):
        """`map` without waiting: an `AsyncResult`."""
        return self._all_later(
            func, _worker.ON_ONE, iterable, chunksize, time_limit, retries, callback, error_callback)

    def starmap_async(
        self, func, iterable, chunksize=None, callback=None, error_callback=None, *, time_limit=None, retries=None
    ):
        """`starmap` without waiting: an `AsyncResult`."""
        return self._all_later(
            func, _worker.ON_ARGUMENTS, iterable, chunksize, time_limit, retries, callback, error_callback)

    def imap(self, func, iterable, chunksize=1, *, time_limit=None, retries=None):
        """An iterator of the results, in order. Items are drawn as they are needed."""
        return self._iterate(func, iterable, chunksize, time_limit, retries, is_ordered=True)

    def imap_unordered(self, func, iterable, chunksize=1, *, time_limit=None, retries=None):
        """The same in the order in which they come."""
        return self._iterate(func, iterable, chunksize, time_limit, retries, is_ordered=False)

    def _iterate(self, func, iterable, chunksize, time_limit, retries, is_ordered):
        return Results(self, self._begin(func, _worker.ON_ONE, iterable, chunksize, time_limit, retries), is_ordered)

    def _begin(self, func, mode, iterable, chunksize, time_limit, retries):
        self._check_running()
        if chunksize is not None and chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        return Call(
            self._engine, self._function(func, mode), iterable, self._settings(time_limit, retries, chunksize))

    def _all(self, func, mode, iterable, chunksize, time_limit, retries):
        items = iterable if type(iterable) in (list, tuple, range) else list(iterable)
        call = self._begin(func, mode, items, chunksize, time_limit, retries)
        return _collect(call, len(items))

    def _all_later(self, func, mode, iterable, chunksize, time_limit, retries, callback, error_callback):
        items = iterable if type(iterable) in (list, tuple, range) else list(iterable)
        call = self._begin(func, mode, items, chunksize, time_limit, retries)
        return MapResult(self, call, len(items), callback, error_callback)

    # Callbacks

    def _tell_ending(self, job, body):
        """Has `body` called, on a thread of the pool's, when a call is over."""
        with self._lock:
            token = next(self._tokens)
            self._callbacks[token] = body
            if self._listener is None:
                self._listener = threading.Thread(
                    target=_listen, args=(weakref.ref(self), self._engine), name=f"{self._name}-callbacks", daemon=True)
                self._listener.start()
        native.job_tell_ending(job.pointer, token)

    # The end

    def _check_running(self):
        if self._state != "RUN":
            raise PoolClosed("Pool not running")
        if self._owner != os.getpid():
            raise PoolClosed(
                "this process is a fork of the one whose pool this is, and has no part in it: make a pool of its own here")

    def close(self):
        """Takes no more tasks. Those that were given are done."""
        with self._lock:
            if self._state != "RUN" or self._owner != os.getpid():
                return
            self._state = "CLOSE"
            self._ending = threading.Thread(
                target=_end, args=(self._engine, list(self._iterators)), daemon=True, name=f"{self._name}-end")
            self._ending.start()

    def terminate(self):
        """Ends the workers at once."""
        self._state = "TERMINATE"
        if self._owner == os.getpid():
            native.pool_shut_down(self._engine.pointer, 0)

    def join(self):
        """Waits until the workers have ended. After `close` or `terminate`."""
        if self._state == "RUN":
            raise ValueError("Pool is still running")
        if self._ending is not None and self._owner == os.getpid():
            self._ending.join()

    def __enter__(self):
        self._check_running()
        return self

    def __exit__(self, kind, value, trace):
        self.terminate()

    def __del__(self, warn=warnings.warn):
        if getattr(self, "_engine", None) is not None and self._state == "RUN" and self._owner == os.getpid():
            self.terminate()
            warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self)

    def __reduce__(self):
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __repr__(self):
        return f"<{type(self).__module__}.{type(self).__qualname__} state={self._state} pool_size={self._processes}>"

    # Seeing it

    @property
    def pids(self):
        """The processes of the workers that live."""
        return native.processes(self._engine.pointer)

    @property
    def statistics(self):
        """How many tasks (groups of short ones count as one) were submitted, and what has become of them."""
        return native.statistics(self._engine.pointer)


def _command(module):
    """How a process of ours is started: the same interpreter with the same options, which imports what this one could."""
    from subprocess import _args_from_interpreter_flags

    path = [os.getcwd() if entry == "" else entry for entry in sys.path if isinstance(entry, str)]
    code = f"import sys; sys.path[:] = {path!r}; from apus.{module} import main; main()"
    return [os.fsencode(word) for word in (sys.executable, *_args_from_interpreter_flags(), "-c", code)]


def _end(engine, iterators):
    """Ends a closed pool once all that it was given is done."""
    try:
        for results in iterators:
            results.drain()
    finally:
        native.pool_shut_down(engine.pointer, native.FOREVER)


# The last few templates, by all that they have taken over from this process.
_templates = {}
_MOST_TEMPLATES = 4


def _variables(environment):
    variables = {}
    for name, value in environment.items():
        name, value = os.fsencode(name), os.fsencode(str(value))
        if not name or b"=" in name or b"\0" in name + value:
            raise ValueError(f"environment: {name!r} can't be a variable with the value {value!r}")
        variables[name] = value
    return variables


def _template(prepare, variables, patience):
    """What workers are forked from. Pools that want the same share one."""
    if callable(prepare):
        data = dumps((variables, (), dump_function(prepare)))
    else:
        data = dumps((variables, tuple([prepare] if isinstance(prepare, str) else prepare), None))
    arguments = _command("_template")
    key = (os.getpid(), os.getcwd(), tuple(os.environ.items()), tuple(arguments), data)
    found = _templates.pop(key, None)
    if found is None or native.template_has_failed(found.pointer):
        source = os.memfd_create("apus-template")
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(source, left):]
            os.lseek(source, 0, os.SEEK_SET)
            problem = ctypes.create_string_buffer(4096)
            pointer = native.template_new(
                arguments[0], native.strings(arguments), source, patience, problem, len(problem))
        finally:
            os.close(source)
        if not pointer:
            raise OSError(problem.value.decode("utf-8", "replace"))
        found = native.Handle(pointer)
    _templates[key] = found
    while len(_templates) > _MOST_TEMPLATES:
        del _templates[next(iter(_templates))]
    return found


def _collect(call, count):
    """All results of a call by index. Raises the failure of the first task that has one, once all are over."""
    values = [None] * count
    bad = None
    try:
        for first, results in call:
            if len(results) == 1:
                values[first] = results[0]
                if type(results[0]) is Failure:
                    bad = first if bad is None else min(bad, first)
                continue
            values[first:first + len(results)] = results
            if Failure in map(type, results):
                place = first + next(i for i, result in enumerate(results) if type(result) is Failure)
                bad = place if bad is None else min(bad, place)
    except BaseException:
        call.cancel()
        raise
    if bad is not None:
        raise values[bad].error
    return values


def _value(result):
    if type(result) is Failure:
        raise result.error
    return result


class Results:
    """The results of a call, one after the other. Several threads may read them."""

    def __init__(self, pool, call, is_ordered):
        self._pool, self._call, self._is_ordered = pool, call, is_ordered
        self._ready, self._waiting, self._next = [], {}, 0
        self._lock, self._user = threading.Lock(), None
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
        with self._alone():
            self._call.end = end
            while not self._ready:
                self._add(*next(self._call))
            return _value(self._ready.pop())

    @contextlib.contextmanager
    def _alone(self):
        if self._user == threading.get_ident():
            raise RuntimeError("the iterator of results is read by its own inputs")
        while not self._lock.acquire(timeout=1):
            pass
        self._user = threading.get_ident()
        try:
            yield
        finally:
            self._user = None
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
                _report()
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


class MapResult(AsyncResult):
    """Of `map_async`: a thread drives the call."""

    def __init__(self, pool, call, count, callback, error_callback):
        super().__init__(pool, callback, error_callback)
        self._call = call
        threading.Thread(target=self._drive, args=(call, count), daemon=True, name="apus-map").start()

    def _drive(self, call, count):
        try:
            success, outcome = True, _collect(call, count)
        except BaseException as error:
            success, outcome = False, error
        self._settle(success, outcome)

    def cancel(self):
        """Ends what is not over."""
        self._call.cancel()


class SingleResult(AsyncResult):
    """Of `apply_async`. Whoever waits for it drives it; if nobody does and there are callbacks, the pool's thread."""

    def __init__(self, pool, func, args, kwds, callback, error_callback, settings):
        super().__init__(pool, callback, error_callback)
        self._taking = threading.Lock()
        self._call = SingleCall(pool._engine, pool._function(func, _worker.ON_CALL), tuple(args), kwds, settings)
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
            self._done.wait(timeout)
        elif not self._done.is_set():
            self._take(timeout)

    def cancel(self):
        """Ends it, also when it runs."""
        self._call.cancel()


def _listen(pool, engine):
    """Calls callbacks as calls end."""
    while True:
        owner = pool()
        if owner is None:
            return
        # A pool that nobody holds ends, but not while somebody wants to hear of its calls.
        kept = owner if owner._callbacks else None
        del owner
        token = native.pool_next_ending(engine.pointer, 200_000_000)
        owner = kept or pool()
        if owner is None:
            return
        if token:
            body = owner._callbacks.pop(token, None)
            try:
                if body is not None:
                    body()
            except BaseException:
                _report()
            del body
        elif native.pool_has_ended(engine.pointer):
            with owner._lock:
                if not owner._callbacks:
                    owner._listener = None
                    return
        del owner, kept


def _report():
    try:
        sys.excepthook(*sys.exc_info())
    except BaseException:
        pass


@atexit.register
def _end_all():
    for pool in list(_pools):
        if pool._owner == os.getpid():
            pool.terminate()
