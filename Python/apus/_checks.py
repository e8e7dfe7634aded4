"""What numbers a user may give."""


def seconds(name, value):
    """A time, as it is. So long that it can't be told from none at most."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not value > 0:
        raise ValueError(f"{name} must be more than 0 seconds, not {value!r}")
    return min(value, 1e9)


def count(name, value, least):
    if not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value!r}")
    return value
