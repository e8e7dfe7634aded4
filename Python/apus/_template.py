"""A clean interpreter of one thread that workers are forked from, once it has imported what they need.

It starts no thread, and nothing of the engine, before it forks. `Template` (ApusSystem) says what it is asked and answers.
"""

import atexit
import fcntl
import os
import socket
import struct
import sys
import threading
import weakref

from . import _codec, _main_namespace, _native, _worker
from ._library import fast

REQUEST = struct.Struct("=ii")
FORK, REAP = 1, 2
EXITED, KILLED, DUMPED = 1, 2, 3  # Linux's CLD_EXITED and so on
MOVE = getattr(fcntl, "F_DUPFD_CLOEXEC", 1030)  # Linux's number, for which PyPy has no name


def main():
    with open(4, "rb") as file:
        file.seek(0)  # a template before this one may have read it
        data = file.read()
    connection = socket.socket(fileno=fcntl.fcntl(3, MOVE, 64))
    # What is opened from here on must not have the numbers that a worker's own descriptors get.
    for number in (3, 4, 5):
        nothing = os.open(os.devnull, os.O_RDWR)
        if nothing != number:
            os.dup2(nothing, number)
            os.close(nothing)
    _worker.importing += 1  # a pool made now would have a template that makes one
    prepare(data)
    _worker.importing -= 1
    # What there is now is shared with all workers: the collector is not to touch it.
    import gc

    gc.collect()
    if hasattr(gc, "freeze"):  # not PyPy's, which moves what it keeps
        gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, 256, 16)
        if not message:
            return
        kind, _ = REQUEST.unpack_from(message)
        numbers = struct.unpack_from(f"={len(message) // 4 - 2}i", message, REQUEST.size)
        if kind == REAP:
            connection.send(struct.pack("=ii", *reap(numbers[0])))
            continue
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        try:
            child = os.fork()
        except OSError as error:
            child = -error.errno
        if child == 0:
            connection.close()
            return become_worker(parent, descriptors, numbers)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(struct.pack("=q", child))


def prepare(data):
    """Imports modules and calls what the user wants done once for all workers."""
    # Now, so that no worker has to.
    from . import _by_cloudpickle, _exceptions, _native  # noqa: F401

    _main_namespace.share()
    variables, modules, body = _codec.loads(data)
    for name, value in variables.items():
        if value is None:
            os.environb.pop(name, None)
        else:
            os.environb[name] = value
    for name in modules:
        __import__(name)
    if body is not None:
        huge_arenas(True)
        _codec.loads(body)()
        huge_arenas(False)


def huge_arenas(is_on):
    """Whether objects are made in large pages: a fork takes as long as there are pages. What `malloc` gives: `TUNABLES` in `_start.py`."""
    if fast is not None:
        fast.huge_arenas(is_on)


def reap(process):
    """How a child has ended, as `si_code` says, and its code or signal. (PyPy has no `waitid`.)"""
    try:
        _, status = os.waitpid(process, 0)
    except OSError:
        return 0, 0
    if os.WIFSIGNALED(status):
        return DUMPED if os.WCOREDUMP(status) else KILLED, os.WTERMSIG(status)
    return EXITED, os.WEXITSTATUS(status)


def become_worker(parent, descriptors, numbers):
    if _native.worker_adopted(parent):
        os._exit(1)
    # Out of the way of where they are to be.
    moved = [fcntl.fcntl(descriptor, MOVE, 64) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(moved, numbers):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # What is to happen as the template ends is not this process's.
    atexit._clear()
    for entry in weakref.finalize._registry.values():
        entry.atexit = False
    weakref.finalize._registered_with_atexit = False
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        # Or all workers would draw the same numbers. Python's own generator sees to that itself.
        numpy.random.seed()
    status = 0
    try:
        _worker.main()
    except SystemExit as error:
        print(error, file=sys.stderr)
        status = 1
    # Not as the interpreter ends: what was prepared would be destroyed, and what belongs to it, such as its temporary files.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
