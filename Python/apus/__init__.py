"""Parallel computing that survives crashes: a pool of processes in the manner of `multiprocessing.Pool`, and more."""

__version__ = "0.1.0"
__all__ = ["Executor", "Pool", "cpu_count", "register_joblib"]

_places = {
    "Pool": "pool",
    "AsyncResult": "results",
    "Results": "results",
    "cpu_count": "pool",
    "Shared": "shared",
    "Worker": "worker",
    "WorkerLocal": "worker",
    "current_worker": "worker",
    "Executor": "executor",
    "Future": "executor",
    **dict.fromkeys(
        "ApusError TaskError WorkerDied TaskTimeout TaskCancelled MemoryLimitExceeded TaskExited EncodingError "
        "RemoteError RemoteTraceback PoolBroken PoolClosed MessageError".split(),
        "errors",
    ),
}
# What a program may ask of the module in whose place this one is, and gets from there.
_as_they_are = ("TimeoutError", "freeze_support")
# What it would look for in vain. (Not asked of `multiprocessing`, which would have to be imported.)
_not_here = frozenset((
    "Array AuthenticationError Barrier BoundedSemaphore BufferTooShort Condition Event JoinableQueue Lock Manager Pipe Process "
    "ProcessError Queue RLock RawArray RawValue Semaphore SimpleQueue Value active_children current_process get_context get_logger "
    "get_start_method log_to_stderr parent_process set_executable set_forkserver_preload set_start_method").split())


def register_joblib():
    """Makes `apus` a backend of joblib's: `with joblib.parallel_config("apus"): ...`, or `Parallel(backend="apus")`."""
    from ._joblib import register

    register()


def _module(name):
    from importlib import import_module

    return import_module(name, __name__)


def __getattr__(name):
    """Modules are imported when they are first used, so that `import apus` costs next to nothing."""
    if name in _places:
        value = getattr(_module("." + _places[name]), name)
    elif name == "mpi":
        value = _module(".mpi")
    elif name in _as_they_are:
        value = getattr(_module("multiprocessing"), name)
    else:
        message = f"module {__name__!r} has no attribute {name!r}"
        if name in _not_here:
            message += f"; Python's own has: `from multiprocessing import {name}`"
        raise AttributeError(message)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_places, *_as_they_are])
