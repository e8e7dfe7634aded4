import os
import signal
import time

import pytest

import apus

# No test takes so long; one that hangs is to fail.
HANG = 120


@pytest.fixture(autouse=True)
def no_hang():
    def fail(*_):
        raise AssertionError(f"not over in {HANG} s")

    signal.signal(signal.SIGALRM, fail)
    signal.alarm(HANG)
    yield
    signal.alarm(0)


@pytest.fixture
def pool():
    with apus.Pool(2) as pool:
        yield pool


def eventually(body, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if body():
            return True
        time.sleep(0.01)
    return False


def is_gone(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
