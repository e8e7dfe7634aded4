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
from ._codec import dump_values
from ._frames import Frame
from ._outcome import Failure, Group, Mixed, cannot, decoded, failure
from ._protocol import MAY_STOP, TRAILER
from ._settings import SLICE, Late
from ._slice import Slice
from .errors import TaskCancelled
from .worker import Again

# What a group should take of a worker, in nanoseconds, and bytes.
GROUP_TIME = 400_000
GROUP_BYTES = 48 << 10
GROUP_MOST = 20_000
# How many items of a list that go in groups of a fixed size are given at once, if the engine wants fewer.
AT_ONCE = 1024


class Call:
    """A call that one thread drives: an iterator of each group's first index and results, in the order in which they come.

    Inputs are drawn as the workers want them, so a lazy or endless iterable is never held whole. If it raises, so does this
    iterator, after the results of what was drawn before.
    """

    def __init__(self, engine, function, inputs, settings, limit=None):
        """`limit.room` is how many more inputs may be drawn, if there is a bound."""
        self.engine, self.settings, self.function, self.limit = engine, settings, function, limit
        # What `next` raises once nothing is ready any more.
        self.over = None
        self.inputs, self.source = iter(inputs), inputs
        self.job = native.Handle(native.job_new(engine.pointer, function.pointer, ctypes.byref(settings.options())))
        self.length = length_of(inputs)
        # See `fill`: how many groups there are, how many of them were given as plain and have no result yet, and the list.
        self.numbered, self.open_plain, self.values = 0, 0, None
        self.is_drawn = False
        self.drawn = 0
        # Of the engine's other elements: those that have no result yet, by index.
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
        # When `next` gives up, by the monotonic clock.
        self.end = None
        # Whether the inputs stay as they are until the call is over, and need not be copied.
        self.lends = False

    def fill(self, values):
        """Before anything else: has values put into a list, if that is quicker than to hand them out. All others are handed out.

        Groups of a fixed size have numbers then: that of a plain one is its index as an element, so it need not be held. If a step
        is interrupted, the call can only be cancelled.
        """
        if self.length and self.settings.group is not None and self.limit is None:
            self.size = min(self.size, self.length)
            self.numbered = self.elements = -(-self.length // self.size)
            self.values = values

    # Giving

    def feed(self):
        """Gives the engine as much as it wants."""
        if self.is_closed:
            return
        chunk = ctypes.c_int64()
        wanted = native.job_wanted(self.job.pointer, ctypes.byref(chunk))
        known = len(self.ready)
        while wanted > 0:
            given = self._give(min(wanted, 256))
            if given == 0:
                if len(self.ready) == known:
                    # Or it would ask at once again.
                    native.job_pause(self.job.pointer)
                break
            wanted -= given
        if self.is_drawn and not self.again and not self.is_open():
            self.is_closed = True
            native.job_give(self.job.pointer, None, None, 0, 0, 1)

    def is_open(self):
        """Whether something that was given has no result."""
        return self.open_plain > 0 or len(self.groups) > 0

    def _give(self, most):
        """Gives at most so many elements. Returns how many."""
        if self.numbered and not self.again:
            given = self._give_plain(most)
            if given:
                return given
        batch, known = _Batch(self.elements), len(self.ready)
        try:
            while len(batch.parts) < most and batch.is_open:
                group = self._next_group()
                if group is None:
                    break
                data = self._pickled(group)
                if data is None:
                    if len(self.ready) > known:
                        # It has failed. There may be no end of such.
                        break
                    continue
                if batch.must_wait(data):
                    self.again.append(group)
                    break
                self.groups[self.elements] = group
                self.elements += 1
                batch.add(data)
        finally:
            # Also if Ctrl-C comes between.
            batch.give(self.job, self.lends)
        return self.elements - batch.first

    def _give_plain(self, most):
        """The quickest way, for as many of the next groups as are plain: they are there already, so many are given at once."""
        size, items, start = self.size, self.source, self.drawn
        # Whole groups, but for the last one of all.
        end = min(start + max(most, AT_ONCE // size) * size, self.length)
        if type(items) is range:
            items, start, end = list(items[start:end]), 0, end - start
        given = native.give(self.job.pointer, items, start, end, size, self.drawn // size)
        self.drawn = min(self.drawn + given * size, self.length)
        self.open_plain += given
        self.is_drawn = self.drawn == self.length
        return given

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
        if self.numbered or self.lends and self.length is not None:
            items = Slice(self.source, self.drawn, min(self.drawn + size, self.length))
            self.is_drawn = items.end == self.length
            return self._drawn(items) if items else None
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
            data = dump_values(group.items, 0 if self.settings.group is not None else MAY_STOP)
            group.size = data.size if type(data) is Frame else len(data)
            return data
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
            stored, others = native.take(job, self.values, self.size)
            self.open_plain -= stored
            taken.extend(others)
            if not stored and not taken and len(ready) == known:
                return self._wait(job)
        while taken:
            # Taken away once it is done with: Ctrl-C may come between.
            result = taken[0]
            group = groups.get(result[0])
            if group is None and result[0] < self.numbered:
                group = groups[result[0]] = self._numbered_group(result[0])
                self.open_plain -= 1
            if group is not None:
                if len(result) == 4:
                    ready.append((group.first, self._learned(group, *result[1:])))
                elif len(result) == 2:
                    values = self._decoded(result[1], group)
                    if values is not None:
                        ready.append((group.first, values))
                else:
                    self._fail(group, *result[1:])
                del groups[result[0]]
            taken.popleft()

    def _numbered_group(self, number):
        first = number * self.size
        return Group(first, Slice(self.source, first, min(first + self.size, self.length)))

    def _wait(self, job):
        if self.is_closed and not self.is_open():
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
        self.ready.append((group.first, Mixed([Failure(error)] * len(group.items))))

    def _decoded(self, data, group):
        values = decoded(data, group)
        if values is None:
            return self._split(group)
        return self._learned(group, values, TRAILER.unpack_from(data, len(data) - TRAILER.size)[0], len(data))

    def _learned(self, group, values, elapsed, size):
        """The values, from which the size of groups is learned."""
        if self.settings.group is None:
            count = len(values)
            self._learn(elapsed / count, max(group.size, size) / count)
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


def length_of(inputs):
    """How many there are, if they are there already, and that can be told."""
    try:
        return len(inputs) if type(inputs) in (list, tuple, range) else None
    except OverflowError:  # a range may have more than that
        return None


class _Batch:
    """Consecutive elements that are given to the engine at once: some, or a single frame."""

    __slots__ = ("first", "parts", "ends", "size", "frame", "is_open")

    def __init__(self, first):
        self.first, self.parts, self.ends, self.size, self.frame, self.is_open = first, [], [], 0, None, True

    def must_wait(self, data):
        """Whether it is to be given after these."""
        return type(data) is Frame and self.size > 0

    def add(self, data):
        if type(data) is Frame:
            self.frame, self.is_open = data, False
            return
        self.parts.append(data)
        self.size += len(data)
        self.ends.append(self.size)
        self.is_open = self.size < 4 << 20

    def give(self, job, is_lent):
        """`is_lent`: nobody changes large buffers as long as the job lasts."""
        if self.frame is not None:
            give = native.lend_pieces if is_lent else native.give_pieces
            give(job.pointer, self.frame.pieces(), self.first, 0)
        elif self.parts:
            ends = (ctypes.c_uint64 * len(self.ends))(*self.ends)
            native.job_give(job.pointer, b"".join(self.parts), ends, len(ends), self.first, 0)


def _slice(end):
    """How long to wait before the next look at signals, in nanoseconds."""
    return SLICE if end is None else min(SLICE, max(0, int((end - time.monotonic()) * 1e9)))
