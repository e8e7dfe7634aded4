"""Values of a few immutable types of Python's own, which travel quicker than others; see `_values.c`."""

from ._library import fast
from ._pickling import pickle

ATOMS = frozenset((int, float, str, bytes, bool, type(None)))


class Slice:
    """Consecutive items of a list, a tuple or a range that stays as it is, without a reference to each."""

    __slots__ = ("source", "start", "end")

    def __init__(self, source, start, end):
        self.source, self.start, self.end = source, start, end
        self._check()

    def _check(self):
        if self.end > len(self.source):
            raise RuntimeError("the inputs were changed while tasks were made of them")

    def __len__(self):
        return self.end - self.start

    def __getitem__(self, place):
        if type(place) is slice:
            start, end, _ = place.indices(len(self))
            return Slice(self.source, self.start + start, self.start + end)
        self._check()
        return self.source[self.start + place]

    def __iter__(self):
        self._check()
        return iter(self.source[self.start:self.end])


def plain(items, start, end, flags):
    """The bytes of these items of a list or a tuple, if all are plain. None if not, or if that is not known. They begin with the
    flags, if they are not 0."""
    if end - start != 1 or type(items[start]) not in ATOMS:
        return None
    data = pickle.dumps([items[start]], 5)
    return bytes((flags,)) + data if flags else data


def plain_call(arguments, names):
    """The same of a list of one call's arguments."""
    if names or not ATOMS.issuperset(map(type, arguments)):
        return None
    return pickle.dumps([(arguments, names)], 5)


if fast is not None:
    plain, plain_call = fast.plain, fast.plain_call
