"""Where the engine is, a library written in Swift; and the C module that calls it, where there is one for this Python."""

import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libApusPython.so")


def c_module(name):
    """A module of ours that is written in C. None where there is none for this Python, or is to be none."""
    if os.environ.get("APUS_CTYPES"):
        return None
    try:
        return getattr(__import__(f"{__package__}.{name}"), name)
    except ImportError:
        return None


fast = c_module("_fast")
if fast is not None:
    fast.open(PATH)
