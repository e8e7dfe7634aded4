"""One call of a pool: inputs are drawn, grouped, pickled and given to the engine as it wants them, and results are taken.

Short tasks travel in groups, because to pickle each by itself takes longer than to do it. A group is one element of the
engine's. Its size follows from the time that the worker measures. If a worker dies, the engine says which task of the group
it was at: that one has failed, and the others of the group are given again.
"""

import collections
import ctypes
import itertools
import time

from . import _native as native
from ._codec import dump_values, loads
from ._outcome import MAY_STOP, TRAILER, VALUES, Failure, Group, cannot, decoded, failure
from ._settings import SLICE, Late
from .errors import TaskCancelled
from .worker import Again

# What a group should take of a worker, in nanoseconds, and bytes.
GROUP_TIME = 400_000
GROUP_BYTES = 48 << 10
GROUP_MOST = 20_000
_MAY_STOP = bytes([MAY_STOP])


class Call:
    """A call that one thread drives: an iterator of each group's first index and results, in the order in which they come.

    Inputs are drawn as the workers want them, so a lazy or endless iterable is never held whole. If it raises, so does this
    iterator, after the results of what was drawn before.
    """

    def __init__(self, engine, function, inputs, settings, limit=None):
        """`limit.room` is how many more inputs may be drawn, if there is a bound."""
        self.engine, self.settings, self.function, self.limit = engine, settings, function, limit
        self.job = native.Handle(native.job_new(engine.pointer, function.pointer, ctypes.byref(settings.options())))
        self.inputs = iter(inputs)
        self.length = len(inputs) if type(inputs) in (list, tuple, range) else None
        self.is_drawn = False
        self.drawn = 0
        # Of the engine's elements: those that have no result yet, by index.
        self.groups = {}
        self.elements = 0
        self.again = []
        self.attempts = {}
        self.size = settings.group or 1
        self.task_time = None
        self.task_bytes = 1.0
        self.is_closed = False
        self.input_error = None
        # What the engine has handed over; and what is made of that, and was not taken from here.
        self.taken, self.ready = collections.deque(), collections.deque()
        # What `next` raises once nothing is ready any more.
        self.over = None
        # When `next` gives up, by the monotonic clock.
        self.end = None

    # Giving

    def feed(self):
        """Gives the engine as much as it wants."""
        if self.is_closed:
            return
        chunk = ctypes.c_int64()
        wanted = native.job_wanted(self.job.pointer, ctypes.byref(chunk))
        while wanted > 0:
            given = self._give(min(wanted, 256))
            if given == 0:
                # Or it would ask at once again.
                native.job_pause(self.job.pointer)
                break
            wanted -= given
        if self.is_drawn and not self.again and not self.groups:
            self.is_closed = True
            native.job_give(self.job.pointer, None, None, 0, 0, 1)

    def _give(self, most):
        """Gives at most so many elements. Returns how many."""
        if self.size == 1 and self.limit is None and self.settings.group is not None and not self.again:
            return self._give_singles(most)
        parts, ends, end = [], [], 0
        first = self.elements
        try:
            while len(parts) < most and end < 4 << 20:
                group = self._next_group()
                if group is None:
                    break
                data = self._pickled(group)
                if data is None:
                    continue
                end += len(data)
                parts.append(data)
                ends.append(end)
                self.groups[self.elements] = group
                self.elements += 1
        finally:
            # Also if Ctrl-C comes between.
            if parts:
                native.job_give(
                    self.job.pointer, b"".join(parts), (ctypes.c_uint64 * len(ends))(*ends), len(ends), first, 0)
        return len(parts)

    def _give_singles(self, most):
        """The same for groups of one: the quickest way."""
        items = self._draw(most)
        first, groups, element = self.drawn, self.groups, self.elements
        parts, ends, end = [], [], 0
        begun = element
        try:
            for item in items:
                group = Group(self.drawn, [item])
                data = self._pickled(group)
                self.drawn += 1
                if data is None:
                    continue
                end += len(data)
                parts.append(data)
                ends.append(end)
                groups[element] = group
                element += 1
                if end > 4 << 20:
                    break
        finally:
            self.elements = element
            # What is too much for now, or Ctrl-C has left.
            for item in items[self.drawn - first:]:
                self.again.insert(0, Group(self.drawn, [item]))
                self.drawn += 1
            if parts:
                native.job_give(
                    self.job.pointer, b"".join(parts), (ctypes.c_uint64 * len(ends))(*ends), len(ends), begun, 0)
        return len(items)

    def _draw(self, most):
        items = []
        if self.is_drawn:
            return items
        try:
            items.extend(itertools.islice(self.inputs, most))
        except Exception as error:
            self.input_error = error
        except BaseException:
            self.again.extend(self._drawn([item]) for item in items)
            self.again.reverse()
            raise
        if len(items) < most:
            self.is_drawn = True
        return items

    def _next_group(self):
        if self.again:
            return self.again.pop()
        if self.is_drawn:
            return None
        size = self.size
        if self.settings.group is None and self.length is not None:
            # So that the workers end together.
            size = min(size, max(1, (self.length - self.drawn) // (4 * self.engine.workers)))
        if self.limit is not None:
            size = min(size, self.limit.room)
            if size == 0:
                return None
            self.limit.room -= size
        items = []
        try:
            items.extend(itertools.islice(self.inputs, size))
        except Exception as error:
            self.input_error = error
        except BaseException:
            if items:
                self.again.append(self._drawn(items))
            raise
        if len(items) < size:
            self.is_drawn = True
        return self._drawn(items) if items else None

    def _drawn(self, items):
        group = Group(self.drawn, items)
        self.drawn += len(items)
        return group

    def _pickled(self, group):
        """A group's bytes. Of one that can't be pickled, each task has its own try."""
        try:
            data = dump_values(group.items)
            group.size = len(data)
            return data if self.settings.group is not None else data + _MAY_STOP
        except BaseException as error:
            if not isinstance(error, Exception):
                self.again.append(group)
                raise
            if len(group.items) > 1:
                self._split(group)
            else:
                error = cannot("the argument can't be pickled", error, group.first)
                self.ready.append((group.first, [Failure(error)]))
            return None

    def _split(self, group, but=None):
        """Has each task of a group tried by itself."""
        for place, item in reversed(list(enumerate(group.items))):
            if place != but:
                self.again.append(Group(group.first + place, [item]))

    # Taking

    def __iter__(self):
        return self

    def __next__(self):
        while not self.ready:
            if self.over is not None:
                raise self.over
            self.step()
        return self.ready.popleft()

    def step(self):
        """Feeds, and takes what has come or waits a moment. `Late` at `end`."""
        job, groups, ready, known = self.job.pointer, self.groups, self.ready, len(self.ready)
        self.feed()
        taken = self.taken
        if not taken:
            taken.extend(native.take(job))
            if not taken and len(ready) == known:
                return self._wait(job)
        while taken:
            # Taken away once it is done with: Ctrl-C may come between.
            result = taken[0]
            group = groups.get(result[0])
            if group is not None:
                if len(result) == 2:
                    values = self._decoded(result[1], group)
                    if values is not None:
                        ready.append((group.first, values))
                else:
                    self._fail(group, *result[1:])
                del groups[result[0]]
            taken.popleft()

    def _wait(self, job):
        if self.is_closed and not self.groups:
            self.over = self.input_error or StopIteration()
        elif native.job_is_over(job):
            self.over = TaskCancelled("the call was cancelled")
        else:
            native.wait(job, _slice(self.end))
            if self.end is not None and time.monotonic() >= self.end:
                raise Late

    def _fail(self, group, text, kind, exit_code, signal, process, part):
        """A group has no values: it is tried again, or has failed."""
        if kind == native.FAILED and len(group.items) > 1:
            return self._split(group)
        if kind in (native.DIED, native.MEMORY_LIMIT) and len(group.items) > 1:
            if part >= len(group.items):
                # At the bytes of all of them: each by itself, then.
                return self._split(group)
            guilty = Group(group.first + part, [group.items[part]])
            self._split(group, but=part)
            group = guilty
        tried = self.attempts.get(group.first, 0)
        if kind == native.DIED and tried < self.settings.retries:
            self.attempts[group.first] = tried + 1
            return self.again.append(Group(group.first, [Again(group.items[0], tried + 1)]))
        error = failure(kind, text, exit_code, signal, process, group.first, self.settings)
        self.ready.append((group.first, [Failure(error)] * len(group.items)))

    def _decoded(self, data, group):
        if self.settings.group is not None and data[-1] == VALUES:
            try:
                return loads(data)
            except BaseException:
                pass
        values = decoded(data, group)
        if values is None:
            self._split(group)
        elif self.settings.group is None:
            count, elapsed = len(values), TRAILER.unpack_from(data, len(data) - TRAILER.size)[0]
            self._learn(elapsed / count, max(group.size, len(data)) / count)
            if count < len(group.items):
                self._regroup(Group(group.first + count, group.items[count:]))
        return values

    def _regroup(self, group):
        """Has what a worker has left of a group done in groups of the size that is right now."""
        items = group.items
        for place in reversed(range(0, len(items), self.size)):
            self.again.append(Group(group.first + place, items[place:place + self.size]))

    def _learn(self, task_time, task_bytes):
        known = self.task_time
        self.task_time = task_time if known is None else 0.5 * known + 0.5 * task_time
        self.task_bytes = 0.5 * self.task_bytes + 0.5 * task_bytes
        best = min(GROUP_TIME / max(self.task_time, 1.0), GROUP_BYTES / max(self.task_bytes, 1.0), GROUP_MOST)
        self.size = max(1, min(int(best), 8 * self.size))

    def cancel(self):
        native.job_cancel(self.job.pointer)

    def __del__(self, cancel=native.job_cancel):
        # Its inputs would never be all there.
        job = getattr(self, "job", None)
        if job is not None and self.over is None:
            cancel(job.pointer)


def _slice(end):
    """How long to wait before the next look at signals, in nanoseconds."""
    return SLICE if end is None else min(SLICE, max(0, int((end - time.monotonic()) * 1e9)))
