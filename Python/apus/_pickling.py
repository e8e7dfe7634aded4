"""`pickle` without the imports of its part in Python, which take a worker longer than all else: what is written in C has no need of
them.
"""

import sys

__all__ = ["pickle"]


def _written_in_c():
    """`_pickle` imports `functools`, and with it `collections`, for one class that is written in C as well."""
    # Another thread could import it meanwhile.
    if "functools" in sys.modules or "threading" in sys.modules:
        import _pickle

        return _pickle
    import _functools

    sys.modules["functools"] = _functools
    try:
        import _pickle
    finally:
        del sys.modules["functools"]
    return _pickle


try:
    pickle = _written_in_c()
except ImportError:
    import pickle
