"""In a worker: the globals of all functions of the main module."""

namespace = None


def share():
    """This process is a worker, or workers are forked from it."""
    global namespace
    if namespace is None:
        namespace = {"__name__": "__main__", "__builtins__": __builtins__}
