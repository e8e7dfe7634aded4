"""Exceptions as bytes."""

from ._codec import dumps, loads
from ._main_namespace import load_apart
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
        load_apart(loads, pickled)
    except BaseException:
        pickled = None
    return pickled, name, message, text


def load_exception(parts, index):
    """The exception again, with the worker's traceback as its cause; a `RemoteError` if it can't be rebuilt."""
    pickled, name, message, text = parts
    error = None
    if pickled is not None:
        try:
            error = load_apart(loads, pickled)
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
