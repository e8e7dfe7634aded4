"""`pickle` without the imports of its part in Python, which take a worker longer than all else: what is written in C has no need of
them.
"""

try:
    import _pickle as pickle
except ImportError:
    import pickle

__all__ = ["pickle"]
