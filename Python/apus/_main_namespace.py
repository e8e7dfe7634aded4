"""The globals of all functions of the main module: in a worker a namespace of its own, as it does not import that module."""

import builtins
import sys

namespace = None


def share():
    """This process is a worker, or workers are forked from it."""
    global namespace
    if namespace is None:
        namespace = {"__name__": "__main__", "__builtins__": builtins}


def is_of_main(function):
    """Whether it is a function of the main module; not of another namespace with that name, as `exec` may have one."""
    names = sys.modules["__main__"].__dict__ if namespace is None else namespace
    return function.__globals__ is names
