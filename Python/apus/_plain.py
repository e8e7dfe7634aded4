"""Values of a few immutable types of Python's own, which travel quicker than others; see `_values.c`."""

from ._library import fast
from ._pickling import pickle

ATOMS = frozenset((int, float, str, bytes, bool, type(None)))


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
