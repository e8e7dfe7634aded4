"""How far a call of many tasks is: tqdm's bar, or a function that is told."""

from ._outcome import Failure


class Watched:
    """A call (what it is mixed into) that tells as its results are taken."""

    done = failed = 0

    def __next__(self):
        try:
            first, results = super().__next__()
        except BaseException:
            if self.over is not None:
                self.end_telling()
            raise
        self.done += len(results)
        self.failed += sum(type(result) is Failure for result in results)
        try:
            self.tell(self.done, self.failed, self.total)
        except BaseException as error:
            self.cancel()
            self.ready.clear()
            self.over = error
            raise
        return first, results

    def fill(self, values):
        """Results are to be handed out, or nothing could be told."""

    def cancel(self):
        super().cancel()
        self.end_telling()


def watched(kind, progress, *iterables):
    """A class of calls: `kind`, or what it is if its calls on these items are to tell."""
    if progress is None or progress is False:
        return kind
    total = _total(iterables)
    if progress is True:
        tell, end = _bar(total)
    elif callable(progress):
        tell, end = progress, _nothing
    else:
        raise TypeError(
            f"progress must be True, for a bar, or a function to call with (done, failed, total), not {progress!r}")
    return type(kind.__name__, (Watched, kind), {
        "tell": staticmethod(tell), "end_telling": staticmethod(end), "total": total})


def _total(iterables):
    """How many items there are; None if they do not say."""
    try:
        return min(map(len, iterables), default=0)
    except TypeError:
        return None


def _bar(total):
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError as error:
        if error.name != "tqdm":
            raise
        raise ModuleNotFoundError(
            "progress=True shows the bar of tqdm, which is not installed: pip install tqdm", name="tqdm") from None
    bar = tqdm(total=total)

    def tell(done, failed, _):
        if failed:
            bar.set_postfix(failed=failed, refresh=False)
        bar.update(done - bar.n)

    return tell, bar.close


def _nothing():
    pass
