"""Exceptions as bytes."""

from . import _main_namespace
from ._codec import dumps, loads
from .errors import RemoteError, RemoteTraceback, TaskExited


def dump_exception(error):
    """An exception that a task has raised, for `load_exception`. Whatever its methods do."""
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except BaseException:
        message = "<its message can't be had>"
    try:
        text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    except BaseException:
        text = "".join(traceback.format_tb(error.__traceback__)) + name
    try:
        pickled = dumps(error)
    except BaseException:
        pickled = None
    # What it is loaded for here must not change what the worker has.
    namespace, _main_namespace.namespace = _main_namespace.namespace, None
    try:
        if pickled is not None:
            loads(pickled)
    except BaseException:
        pickled = None
    finally:
        _main_namespace.namespace = namespace
    return pickled, name, message, text


def load_exception(parts, index):
    """The exception again, with the worker's traceback as its cause; a `RemoteError` if it can't be rebuilt."""
    pickled, name, message, text = parts
    error = None
    if pickled is not None:
        try:
            error = loads(pickled)
        except (Exception, SystemExit):
            pass
    trace = RemoteTraceback(f'\n"""\n{text}"""')
    if not isinstance(error, BaseException):
        error = RemoteError(f"{name}: {message}", index)
    elif not isinstance(error, Exception):
        # Raised here it would end this program, and nobody would see why.
        outer = TaskExited(f"it raised {name}{f': {message}' if message else ''}", index)
        error.__cause__ = trace
        outer.__cause__ = error
        return outer
    try:
        error.__cause__ = trace
    except BaseException:
        error = RemoteError(f"{name}: {message}", index)
        error.__cause__ = trace
    return error
