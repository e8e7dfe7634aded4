"""A pool of worker processes, in the manner of `multiprocessing.Pool`."""

import atexit
import ctypes
import itertools
import os
import threading
import warnings
import weakref
from types import FunctionType

from . import _native as native
from . import _worker, shared
from ._call import Call
from ._checks import count, seconds
from ._codec import dumps
from ._functions import bindings, dump_function, is_function_by_value, is_stateless
from ._progress import watched
from ._protocol import HOOK, ON_ARGUMENTS, ON_CALL, ON_ONE, SHARED
from ._settings import Settings
from ._single import call
from ._start import command, template, variables_of
from .errors import FORKED, PoolClosed
from .results import MapResult, Results, SingleResult, collect, report, value_of

__all__ = ["Pool", "cpu_count"]

_pools = weakref.WeakSet()
_names = itertools.count(1)


def cpu_count():
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


# Functions that a pool knows: what they refer to may refer to them, and be kept by that.
MOST_KNOWN = 256


class _Known:
    """A function that was pickled, and what it referred to then."""

    __slots__ = ("function", "bindings", "handles")

    def __init__(self, function, others):
        # Another object may have its number once it is gone.
        self.function = weakref.ref(function, lambda _, key=id(function): others.pop(key, None))
        self.bindings, self.handles = bindings(function) if is_function_by_value(function) else (), {}

    def was_sent(self, mode, handle):
        for binding in self.bindings:
            binding.was_sent()
        self.handles[mode] = handle

    def holds(self):
        """Whether a worker that has it has what it refers to."""
        return all(binding.holds() for binding in self.bindings)


class Engine(native.Handle):
    """A pool of the engine's."""

    __slots__ = ("workers",)

    def shut_down(self, grace):
        native.pool_shut_down(self.pointer, grace)
        native.end_loans()


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
    `kind`: "thread" makes the workers threads of this process. What takes a process of one's own is a ValueError then.
    """

    _Call = Call

    def __new__(cls, *arguments, kind="process", **others):
        if kind == "thread" and cls is Pool:
            from ._threads import ThreadPool as cls
        return super().__new__(cls)

    def __init__(
        self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None, *,
        time_limit=None, retries=0, memory_limit=None, name=None, start="template", prepare=(),
        start_timeout=60, environment=None, kind="process",
    ):
        if kind != "process":
            raise ValueError(f'kind must be "process" or, for apus.Pool itself, "thread", not {kind!r}')
        if _worker.importing:
            raise RuntimeError(
                "a pool is made while a worker imports this module: make it inside of a function, or under "
                "`if __name__ == '__main__':`, or each worker would start workers in turn")
        start_timeout = self._set_up(processes, initializer, initargs, name, start_timeout)
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        self._time_limit, self._retries, self._memory_limit = time_limit, retries, memory_limit
        self._usual = self._settings(None, None)
        # What is known of functions, by their `id`; and definitions by their bytes.
        self._functions, self._sent = {}, {}
        self._callbacks = {}
        self._tokens = itertools.count(1)
        self._listener = None
        if memory_limit is not None:
            count("memory_limit", memory_limit, 1)
        if start not in ("template", "fresh"):
            raise ValueError(f'start must be "template" or "fresh", not {start!r}')
        if start == "fresh" and prepare:
            raise ValueError('`prepare` is for start="template"; use `initializer` here')
        hook = None if initializer is None else self._define(initializer, HOOK)
        argument = dumps(tuple(initargs)) if initializer is not None else b""
        arguments = command("_worker")
        variables = variables_of(environment or {})
        patience = min(int(start_timeout * 1000), (1 << 31) - 1)
        self._template = template(prepare, variables, patience) if start == "template" else None
        config = native.Config(
            workers=self._processes, executable=arguments[0], arguments=native.strings(arguments),
            environment=native.strings([b"%s=%s" % pair for pair in {**os.environb, **variables}.items()]),
            workers_template=self._template and self._template.pointer, start_limit=int(start_timeout * 1e9),
            name=self._name.encode("utf-8", "replace"),
            start_function=hook and hook.pointer, start_argument=argument,
            start_length=len(argument), tasks_per_worker=maxtasksperchild or 0, memory_limit=memory_limit or 0,
            retries_alone=0, restarts=-1)
        problem = ctypes.create_string_buffer(4096)
        pointer = native.pool_new(ctypes.byref(config), problem, len(problem))
        if not pointer:
            raise OSError(problem.value.decode("utf-8", "replace"))
        self._engine = Engine(pointer)
        self._engine.workers = self._processes
        _pools.add(self)

    def _set_up(self, processes, initializer, initargs, name, start_timeout):
        """What pools of all kinds have. Returns `start_timeout` in seconds."""
        processes = cpu_count() if processes is None else count("Number of processes", processes, 1)
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if not hasattr(initargs, "__iter__"):
            raise TypeError(f"initargs must be the arguments of the initializer, such as ({initargs!r},), not {initargs!r}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a str, not {name!r}")
        self._processes, self._name = processes, name or f"pool-{next(_names)}"
        self._lock = threading.Lock()
        # Iterators of results, which whoever ends the pool has to draw to their ends.
        self._iterators = weakref.WeakSet()
        self._ending = None
        self._state = "RUN"
        self._owner = os.getpid()
        return seconds("start_timeout", start_timeout)

    # Functions

    def _define(self, function, mode):
        """What has no state of its own is sent to a worker once."""
        data = dump_function(function) + bytes([mode])
        if not is_stateless(function):
            return native.Handle(native.function_new(data, len(data)))
        with self._lock:
            handle = self._sent.pop(data, None) or native.Handle(native.function_new(data, len(data)))
            self._sent[data] = handle
            while len(self._sent) > 32:
                del self._sent[next(iter(self._sent))]
        return handle

    def _function(self, function, mode):
        """Pickles a function, unless it was and what it refers to is bound as it was then."""
        known = self._functions.get(id(function))
        if known is None or known.function() is not function or not known.holds():
            if not callable(function):
                raise TypeError(f"{function!r} is not callable")
            # Of other callables nobody knows what they refer to.
            if type(function) is not FunctionType:
                return self._define(function, mode)
            # Before it is pickled: another thread may bind a name meanwhile.
            known = _Known(function, self._functions)
        handle = known.handles.get(mode)
        if handle is None:
            handle = self._define(function, mode)
            known.was_sent(mode, handle)
            self._functions[id(function)] = known
            while len(self._functions) > MOST_KNOWN:
                self._functions.pop(next(iter(list(self._functions))), None)
        return handle

    def share(self, value):
        """Has each worker sent an object once, before its next task.

        Returns a `Shared`, which functions and arguments may hold; its `value` is the object. Workers let go of the object
        once nobody holds that.
        """
        self._check_running()
        return shared.share(self._engine, value, SHARED)

    # Calls of one task

    def apply(self, func, args=(), kwds={}):
        """Calls `func(*args, **kwds)` in a worker, and returns what it returns."""
        self._check_running()
        return value_of(call(self._engine, self._function(func, ON_CALL), tuple(args), kwds, self._usual))

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None, *, time_limit=None, retries=None):
        """The same without waiting: an `AsyncResult`."""
        self._check_running()
        return SingleResult(self, func, args, kwds, callback, error_callback, self._settings(time_limit, retries))

    def _settings(self, time_limit, retries, group=None):
        return Settings(
            self._time_limit if time_limit is None else time_limit, self._retries if retries is None else retries, group,
            self._memory_limit)

    # Calls of many

    def map(self, func, iterable, chunksize=None, *, time_limit=None, retries=None, progress=None):
        """Calls `func` on each item, and returns the results in order.

        `progress`: True for tqdm's bar, or a function that is called with how many tasks are over, how many of these have
        failed, and how many there are (None if the items do not say).
        """
        return self._all(func, ON_ONE, iterable, chunksize, time_limit, retries, progress)

    def starmap(self, func, iterable, chunksize=None, *, time_limit=None, retries=None, progress=None):
        """The same for items that are the arguments of a call each."""
        return self._all(func, ON_ARGUMENTS, iterable, chunksize, time_limit, retries, progress)

    def map_async(
        self, func, iterable, chunksize=None, callback=None, error_callback=None, *, time_limit=None, retries=None,
        progress=None,
    ):
        """`map` without waiting: an `AsyncResult`."""
        return self._all_later(
            func, ON_ONE, iterable, chunksize, time_limit, retries, progress, callback, error_callback)

    def starmap_async(
        self, func, iterable, chunksize=None, callback=None, error_callback=None, *, time_limit=None, retries=None,
        progress=None,
    ):
        """`starmap` without waiting: an `AsyncResult`."""
        return self._all_later(
            func, ON_ARGUMENTS, iterable, chunksize, time_limit, retries, progress, callback, error_callback)

    def imap(self, func, iterable, chunksize=1, *, time_limit=None, retries=None, progress=None):
        """An iterator of the results, in order. Items are drawn as they are needed."""
        call = self._begin(func, ON_ONE, iterable, chunksize, time_limit, retries, progress)
        return Results(self, call, is_ordered=True)

    def imap_unordered(self, func, iterable, chunksize=1, *, time_limit=None, retries=None, progress=None):
        """The same in the order in which they come."""
        call = self._begin(func, ON_ONE, iterable, chunksize, time_limit, retries, progress)
        return Results(self, call, is_ordered=False)

    def _begin(self, func, mode, iterable, chunksize, time_limit, retries, progress):
        self._check_running()
        if chunksize is not None and chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        function, settings = self._function(func, mode), self._settings(time_limit, retries, chunksize)
        return watched(self._Call, progress, iterable)(self._engine, function, iterable, settings)

    def _all(self, func, mode, iterable, chunksize, time_limit, retries, progress):
        # A function that is told how far it is may change a list.
        items = iterable if type(iterable) in (list, tuple, range) and progress is None else list(iterable)
        call = self._begin(func, mode, items, chunksize, time_limit, retries, progress)
        # Whoever gave them waits here.
        call.lends = True
        return collect(call, len(items))

    def _all_later(self, func, mode, iterable, chunksize, time_limit, retries, progress, callback, error_callback):
        items = iterable if type(iterable) in (tuple, range) else list(iterable)
        call = self._begin(func, mode, items, chunksize, time_limit, retries, progress)
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
            raise PoolClosed(FORKED)

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
            self._engine.shut_down(0)

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


def _end(engine, iterators):
    """Ends a closed pool once all that it was given is done."""
    try:
        for results in iterators:
            try:
                results.drain()
            except BaseException:
                # Or it would be waited for.
                results.close()
                report()
    finally:
        engine.shut_down(native.FOREVER)


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
                report()
            del body
        elif native.pool_has_ended(engine.pointer):
            with owner._lock:
                if not owner._callbacks:
                    owner._listener = None
                    return
        del owner, kept


@atexit.register
def _end_all():
    for pool in list(_pools):
        if pool._owner == os.getpid():
            pool.terminate()
