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


def register_joblib():
    """Makes `apus` a backend of joblib's: `with joblib.parallel_config("apus"): ...`, or `Parallel(backend="apus")`."""
    from ._joblib import register

    register()


def __getattr__(name):
    """Modules are imported when they are first used, so that `import apus` costs next to nothing."""
    from importlib import import_module

    if name in _places:
        value = getattr(import_module("." + _places[name], __name__), name)
    elif name == "mpi":
        value = import_module(".mpi", __name__)
    elif name in _as_they_are:
        value = getattr(import_module("multiprocessing"), name)
    else:
        import multiprocessing

        message = f"module {__name__!r} has no attribute {name!r}"
        if not name.startswith("_") and hasattr(multiprocessing, name):
            message += f"; Python's own has: `from multiprocessing import {name}`"
        raise AttributeError(message)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_places, *_as_they_are])
