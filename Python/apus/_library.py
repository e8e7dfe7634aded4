"""Where the engine is, a library written in Swift; and the C module that calls it, where there is one for this Python."""

import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libApusPython.so")


def _fast():
    if os.environ.get("APUS_CTYPES"):
        return None
    try:
        from . import _fast
    except ImportError:
        return None
    _fast.open(PATH)
    return _fast


fast = _fast()
