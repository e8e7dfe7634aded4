"""The globals of all functions of the main module: in a worker a namespace of its own, as it does not import that module."""

import builtins
import sys
from _thread import _local

namespace = None
_here = _local()


def share():
    """This process is a worker, or workers are forked from it."""
    global namespace
    if namespace is None:
        namespace = {"__name__": "__main__", "__builtins__": builtins}


def is_of_main(function):
    """Whether it is a function of the main module; not of another namespace with that name, as `exec` may have one."""
    names = sys.modules["__main__"].__dict__ if namespace is None else namespace
    return function.__globals__ is names


def load_apart(load, data):
    """Loads what does not come from the program whose worker this is: what a pool of the worker's own has come to, say. Functions
    in it have a namespace of their own."""
    if namespace is None:
        return load(data)
    before, _here.is_apart = getattr(_here, "is_apart", False), True
    try:
        return load(data)
    finally:
        _here.is_apart = before


def of_loaded():
    """The namespace of functions that are being loaded, if they are to share one."""
    return None if getattr(_here, "is_apart", False) else namespace
