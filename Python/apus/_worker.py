"""A worker's side: calls the functions that the pool sends."""

import sys
from time import perf_counter_ns

from . import _main_namespace
from ._codec import dump_values, load_values
from ._frames import Frame
from ._library import fast
from ._pickling import pickle
from ._protocol import BROKEN, HOOK, MAY_STOP, MIXED, NO_PART, ON_ARGUMENTS, ON_ONE, SHARED, TRAILER, VALUES

# After so many nanoseconds a worker may hand back a part of a group whose size was guessed.
STOP_AFTER = 5_000_000

_definitions = {}
# How and what is called, by number.
_functions = {}
# Of what is shared: the numbers.
_shared = set()
_part = None
# Not 0 while something is unpickled, which may import modules.
importing = 0


def main():
    """Serves the pool that has started this process."""
    _main_namespace.share()
    sys.stdout, sys.stderr = by_line(sys.stdout), by_line(sys.stderr)
    if fast is not None:
        serve = fast.serve
    else:
        from ._native import serve
    problem = serve(_define, _run, _forget, _functions, _go_on)
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
    if data[-1] == SHARED:
        from . import shared

        _shared.add(number)
        shared.receive(number, data)
    else:
        _definitions[number] = data


def _forget(number):
    if number in _shared:
        from . import shared

        _shared.remove(number)
        shared.forget(number)
    _definitions.pop(number, None)
    _functions.pop(number, None)


def _loads(data):
    global importing
    importing += 1
    try:
        return load_values(data)
    finally:
        importing -= 1


def _function(number):
    found = _functions.get(number)
    if found is None:
        data = _definitions[number]
        found = (data[-1], _loads(data))
        if data[-1] != HOOK:
            _functions[number] = found
    return found


def _run(number, data):
    """Calls a function on the items of a group. Returns what the parent gets."""
    global _part
    started = perf_counter_ns()
    if _part is None:
        if fast is not None:
            view = fast.part()
        else:
            from ._native import worker_part

            view = worker_part()
        _part = view.cast("Q")
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
    return _go_on(mode, function, items, [], None, 0, len(items), started, data[0] < 4 and data[0] & MAY_STOP)


def _go_on(mode, function, items, values, error, place, end, started, may_stop):
    """The same for items up to `end`, of which those up to `place` are done.

    They have come to `values`, but the last of them has raised `error`, if there is one.
    """
    code = VALUES
    if error is not None:
        code, values = MIXED, [(True, value) for value in values] + [(False, dump_exception(error))]
        del error
    part = _part
    stop_at = started + STOP_AFTER if may_stop else None
    while place < end:
        part[0] = place
        item = items[place]
        place += 1
        try:
            if mode == ON_ONE:
                value = function(item)
            elif mode == ON_ARGUMENTS:
                value = function(*item)
            else:
                value = function(*item[0], **item[1])
        except BaseException as error:
            if code == VALUES:
                code, values = MIXED, [(True, value) for value in values]
            values.append((False, dump_exception(error)))
            del error
        else:
            values.append(value if code == VALUES else (True, value))
        if stop_at is not None and perf_counter_ns() > stop_at:
            break
    part[0] = NO_PART
    # What they printed is in the pipe before their results can be seen.
    _flush()
    return _handed_back(values, code, started, len(items))


def _handed_back(values, code, started, count):
    """The bytes for the parent, of a group of so many. None if they are many, and on their way."""
    try:
        data = dump_values(values)
    except BaseException as error:
        if count == 1 and code == VALUES:
            return _broken("the worker could not pickle the result", error)
        code, data = MIXED, _dump_each(values, code)
    trailer = TRAILER.pack(perf_counter_ns() - started, code)
    if type(data) is not Frame:
        return data + trailer
    from ._native import emit_pieces

    emit_pieces(data.pieces(trailer))
    return None


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


def dump_exception(error):
    from ._exceptions import dump_exception  # which imports more than most tasks need

    return dump_exception(error)


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
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    finally:
        _flush()
    return b""
