"""One run of the stress program: started, watched over, read."""

import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import processes


class Actor:
    """A run under way. Use as a context manager: at its end nothing of it is left."""

    def __init__(self, program, seed, environment=None, launcher=(), **settings):
        self.run = secrets.token_hex(8)
        self.folder = Path(tempfile.mkdtemp(prefix="apus-stress-"))
        (self.folder / "starts").mkdir()
        self.environment = os.environ | {
            processes.MARK: self.run,
            "APUS_SEED": str(seed),
            "APUS_STRESS_LOG": str(self.folder / "log"),
            "APUS_STRESS_COUNTERS": str(self.folder / "counters"),
        } | {name: value.format(folder=self.folder) for name, value in (environment or {}).items()}
        self.command = [*map(str, launcher), str(program)] + [f"{name}={value}" for name, value in settings.items()]
        self.process = None
        self.lines = []

    def start(self, **options):
        self.errors = open(self.folder / "errors", "wb")
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors, start_new_session=True, **options)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    def wait_for(self, condition, seconds):
        """Whether the condition came true in time. Polls: what it asks costs little."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.002)
        return condition()

    def wait(self, seconds):
        """The exit status, or None if it hangs: the limit is many times what it needs."""
        try:
            status = self.process.wait(seconds)
            # Workers hold the pipe as well; those that are left are another matter.
            self.reader.join(2)
            return status
        except subprocess.TimeoutExpired:
            return None

    def found(self, kind):
        """What it printed behind a word: VIOLATION, SLOW, MISSED."""
        return [line[len(kind) + 1:] for line in self.lines if line.startswith(kind + " ")]

    @property
    def figures(self):
        return dict(figure.split("=", 1) for figure in self.found("FIGURE"))

    @property
    def has_ended_well(self):
        return "END" in self.lines

    def standard_error(self, limit=400):
        try:
            return (self.folder / "errors").read_bytes()[-limit:].decode(errors="replace").strip()
        except OSError:
            return ""

    def hang(self, seconds):
        """What a run that does not end looks like."""
        found = processes.of_run(self.run)
        return f"HANG: not over after {seconds} s; {processes.describe(found)}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        processes.kill(self.run)
        if self.process:
            self.process.wait()
            self.reader.join(2)
            self.process.stdout.close()
            self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def judge(actor, seconds):
    """Violations of a run that should end by itself and find nothing."""
    status = actor.wait(seconds)
    problems = actor.found("VIOLATION")
    if status is None:
        return problems + [actor.hang(seconds)]
    if not actor.has_ended_well:
        problems.append(f"the program ended with {status}: {actor.standard_error()}")
    left = processes.Leftovers(actor.run)
    # It ended its pools before it ended: nothing can be left but by a leak.
    return problems + ([left.lasting or left.late] if left.lasting else [])
