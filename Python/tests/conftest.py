import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import apus

# No test takes so long; one that hangs is to fail.
HANG = 120


def one_environment():
    """pytest changes it for each test, and each would start a template of its own."""
    os.environ["PYTEST_CURRENT_TEST"] = "one of apus"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call():
    one_environment()


@pytest.fixture(autouse=True)
def no_hang():
    one_environment()

    def fail(*_):
        raise AssertionError(f"not over in {HANG} s")

    signal.signal(signal.SIGALRM, fail)
    signal.alarm(HANG)
    yield
    signal.alarm(0)


@pytest.fixture
def pool():
    # Workers import the tests' modules, and these pytest, which takes longer than the rest together.
    with apus.Pool(2, prepare="pytest") as pool:
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


class Run:
    """A program that is started with this `environment`, and whatever comes from it. At the end nothing of it is left."""

    def __init__(self):
        number = secrets.token_hex(8)
        self.environment = {**os.environ, "APUS_TEST_RUN": number}
        self._mark = b"APUS_TEST_RUN=" + number.encode()

    def processes(self):
        """Those that live: a dead one that nobody has waited for has no environment."""
        found = []
        for entry in os.scandir("/proc"):
            try:
                if entry.name.isdigit() and self._mark in Path(entry, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:  # of another user, or gone as we looked
                pass
        return found

    def left(self):
        """Processes, and shared memory with a name. (What we share has none, and goes with the last that has it open.)"""
        return self.processes() + [name for name in os.listdir("/dev/shm") if "apus" in name]

    def has_left_nothing(self):
        return not self.left()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def run(path, text):
    """The words that a script prints."""
    path.write_text(text)
    found = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=100)
    assert found.stderr == ""
    return found.stdout.split()
