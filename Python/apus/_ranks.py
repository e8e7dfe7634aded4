"""How a process becomes a rank, and what its end means for the others."""

import ctypes
import os
import sys
import threading

from . import _messages as native
from . import _native
from .errors import StartUpFailed


def join(make, threads, joined):
    """The communicator of all ranks: what `make` makes of it, or `joined`."""
    if _native.worker_part():
        raise StartUpFailed("a worker of a pool is no rank: what the launcher has started is the process above it")
    if joined is None:
        native.watch_signals()
    place = ctypes.c_void_p()
    native.call(native._world, bool(threads), ctypes.byref(place))
    # Good once: what this process starts is no rank.
    os.environ.pop("APUS_RANK", None)
    if joined is not None:
        _native.release(place)
        return joined
    world = make(place.value)
    if world.size > 1:
        # A launcher reads what is printed through a pipe: lines are to come when they are printed, and in one piece.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True, write_through=False)
        sys.excepthook = _shown_with_rank(world, sys.excepthook)
    return world


def _shown_with_rank(world, show):
    """What is done with an exception that ends the program. The job hears of it by this process's exit status."""

    def hook(kind, value, trace):
        # All ranks get a Ctrl-C: one traceback is enough.
        if not issubclass(kind, KeyboardInterrupt) or world.rank == 0:
            print(f"rank {world.rank} of {world.size} ends with an error:", file=sys.stderr)
            show(kind, value, trace)
        others = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.current_thread()]
        if others and threading.current_thread() is threading.main_thread():
            # The interpreter would wait for them, and they perhaps for ranks that wait for this one.
            world.abort(1)

    return hook
