"""A clean interpreter of one thread that workers are forked from, once it has imported what they need.

It starts no thread, and nothing of the engine, before it forks. `Template` (ApusSystem) says what it is asked and answers.
"""

import os
import socket
import struct
import sys

from . import _codec, _native, _worker

REQUEST = struct.Struct("=ii")
FORK, REAP = 1, 2


def main():
    prepare()
    # What there is now is shared with all workers: the collector is not to touch it.
    import gc

    gc.collect()
    gc.freeze()
    connection = socket.socket(fileno=3)
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


def prepare():
    """Imports modules and calls what the user wants done once for all workers."""
    with open(4, "rb") as file:
        file.seek(0)  # a template before this one may have read it
        data = file.read()
    from ._by_value import share_namespace

    share_namespace()
    variables, modules, body = _codec.loads(data)
    os.environb.update(variables)
    for name in modules:
        __import__(name)
    if body is not None:
        _codec.loads(body)()


def reap(process):
    """How a child has ended, as `si_code` says, and its code or signal."""
    try:
        found = os.waitid(os.P_PID, process, os.WEXITED)
    except OSError:
        return 0, 0
    return found.si_code, found.si_status


def become_worker(parent, descriptors, numbers):
    if _native.worker_adopted(parent):
        os._exit(1)
    import fcntl

    # Out of the way of where they are to be.
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(moved, numbers):
        os.dup2(descriptor, number)
        os.close(descriptor)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        # Or all workers would draw the same numbers. Python's own generator sees to that itself.
        numpy.random.seed()
    _worker.main()
