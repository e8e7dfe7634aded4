"""Inputs of a call that are there already."""


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
