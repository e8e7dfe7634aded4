"""How calls are treated, and how long they are waited for."""

import time

from . import _native as native
from ._checks import count, seconds

# How often a wait looks at signals, in nanoseconds.
SLICE = 50_000_000
# Between asking a task to stop, which none hears, and killing its worker.
GRACE = 0


class Settings:
    """How tasks of a call are treated."""

    __slots__ = ("time_limit", "retries", "group", "limit", "memory_limit")

    def __init__(self, time_limit, retries, group, memory_limit):
        self.memory_limit = memory_limit
        self.time_limit, self.retries = time_limit, count("retries", retries, 0)
        # How many tasks make a group; None: as many as pay. A time limit is that of one task.
        self.group = 1 if time_limit is not None else group
        # Nanoseconds; 0: none.
        self.limit = 0 if time_limit is None else max(1, int(seconds("time_limit", time_limit) * 1e9))

    def options(self, retries=0):
        return native.Options(self.limit, GRACE, retries, 1 if self.group == 1 else 0)


class Late(Exception):
    """Nothing has come in time."""


def deadline(timeout):
    return None if timeout is None else time.monotonic() + timeout
