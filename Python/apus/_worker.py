"""A worker's side: calls the functions that the pool sends."""

import ctypes
import pickle
import sys
from time import perf_counter_ns

from . import _main_namespace
from . import _native as native
from ._outcome import BROKEN, MAY_STOP, MIXED, NO_PART, STOP_AFTER, TRAILER, VALUES
from ._codec import dump_exception, dump_values, loads

# How a function is called on an item of a group.
ON_ONE, ON_ARGUMENTS, ON_CALL, HOOK = range(4)

_definitions = {}
_functions = {}
_part = None
# Not 0 while something is unpickled, which may import modules.
importing = 0


def main():
    """Serves the pool that has started this process."""
    _main_namespace.share()
    sys.stdout, sys.stderr = by_line(sys.stdout), by_line(sys.stderr)
    problem = native.serve(_define, _run, _forget)
    if problem is not None:
        sys.exit(f"apus: worker: {problem}")


def by_line(stream):
    """The stream, so that each line is out as soon as it is whole."""
    try:
        stream.reconfigure(line_buffering=True)
        return stream
    except OSError:  # PyPy seeks, which a pipe can't
        return open(stream.fileno(), "w", 1, stream.encoding, stream.errors, closefd=False)


def _define(number, data):
    _definitions[number] = data


def _forget(number):
    _definitions.pop(number, None)
    _functions.pop(number, None)


def _loads(data):
    global importing
    importing += 1
    try:
        return loads(data)
    finally:
        importing -= 1


def _function(number):
    found = _functions.get(number)
    if found is None:
        data = _definitions[number]
        found = _functions[number] = (data[-1], _loads(data))
    return found


def _run(number, data):
    """Calls a function on the items of a group. Returns what the parent gets."""
    global _part
    started = perf_counter_ns()
    if _part is None:
        address = native.worker_part()
        _part = memoryview((ctypes.c_uint64 * 1).from_address(address)).cast("B").cast("Q")
        _part[0] = NO_PART
    what = "the worker could not unpickle the function"
    try:
        mode, function = _function(number)
        if mode == HOOK:
            return _run_hook(function, data)
        what = "the worker could not unpickle the argument"
        items = _loads(data)
    except BaseException as error:
        if _is_hook(number):
            raise
        return _broken(what, error)
    if len(items) == 1:
        return _run_one(mode, function, items[0], started)
    part, values, code = _part, [], VALUES
    place = 0
    stop_at = started + STOP_AFTER if data[-1] == MAY_STOP else None
    for item in items:
        part[0] = place
        try:
            if mode == ON_ONE:
                values.append(function(item))
            elif mode == ON_ARGUMENTS:
                values.append(function(*item))
            else:
                values.append(function(*item[0], **item[1]))
        except BaseException as error:
            if code == VALUES:
                code, values = MIXED, [(True, value) for value in values]
            values.append((False, dump_exception(error)))
            del error
        else:
            if code == MIXED:
                values[-1] = (True, values[-1])
        place += 1
        if stop_at is not None and perf_counter_ns() > stop_at:
            break
    part[0] = NO_PART
    # What they printed is in the pipe before their results can be seen.
    _flush()
    try:
        data = dump_values(values)
    except BaseException:
        code, data = MIXED, _dump_each(values, code)
    return data + TRAILER.pack(perf_counter_ns() - started, code)


def _run_one(mode, function, item, started):
    """The same for a group of one: the quickest way."""
    code = VALUES
    try:
        if mode == ON_ONE:
            values = [function(item)]
        elif mode == ON_ARGUMENTS:
            values = [function(*item)]
        else:
            values = [function(*item[0], **item[1])]
    except BaseException as error:
        code, values = MIXED, [(False, dump_exception(error))]
    _flush()
    try:
        data = dump_values(values)
    except BaseException as error:
        return _broken("the worker could not pickle the result", error)
    return data + TRAILER.pack(perf_counter_ns() - started, code)


def _dump_each(values, code):
    """The same if some value can't be pickled."""
    found = []
    for pair in values if code == MIXED else [(True, value) for value in values]:
        if pair[0]:
            try:
                dump_values([pair[1]])
            except BaseException as error:
                pair = (None, dump_exception(error))
        found.append(pair)
    return dump_values(found)


def _broken(what, error):
    return pickle.dumps((what, dump_exception(error))) + TRAILER.pack(0, BROKEN)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def _is_hook(number):
    return _definitions[number][-1] == HOOK


def _run_hook(function, data):
    try:
        function(*_loads(data))
    finally:
        _flush()
    return b""
