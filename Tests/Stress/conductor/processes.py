"""Processes of one run of the stress program: how they are known, and what is left of them."""

import os
import time
from pathlib import Path

# Inherited by every process that comes from a run, workers included.
MARK = "APUS_STRESS_RUN"


def of_run(run):
    """The processes that carry the run's mark, zombies left out: {pid: is a worker}."""
    found = {}
    wanted = f"{MARK}={run}".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if wanted not in Path(entry.path, "environ").read_bytes().split(b"\0"):
                continue
            if state(int(entry.name)) in (None, "Z", "X"):
                continue
            found[int(entry.name)] = b"--apus-worker" in Path(entry.path, "cmdline").read_bytes().split(b"\0")
        except OSError:
            pass  # It has ended while we looked.
    return found


def state(pid):
    """R, S, D, T (stopped), Z; None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def ends(child, seconds):
    """Whether a child of ours is over in that time. Leaves it to be reaped."""
    end = time.monotonic() + seconds
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        if time.monotonic() > end:
            return False
        time.sleep(0.0005)
    return True


def shared_memory(pids):
    """The pieces of our shared memory that these processes hold, by inode."""
    inodes = set()
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                if "memfd:apus" in line or "/dev/shm/apus" in line:
                    inodes.add(line.split()[4])
            for entry in os.scandir(f"/proc/{pid}/fd"):
                if "memfd:apus" in os.readlink(entry.path):
                    inodes.add(str(os.stat(entry.path).st_ino))
        except OSError:
            pass
    return inodes


def all_holders(inodes):
    """Whichever processes of the machine still hold one of these pieces."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if shared_memory([pid]) & inodes] if inodes else []


def named_memory():
    """What lies in /dev/shm under a name of ours: nothing ever should."""
    try:
        return {name for name in os.listdir("/dev/shm") if "apus" in name}
    except OSError:
        return set()


class Leftovers:
    """What is left of a run after its parent has ended.

    `late`: something was there after 100 ms, and soon gone. `lasting`: it was there seconds later: nothing
    but a leak, however slow the machine.
    """

    def __init__(self, run, inodes=frozenset()):
        start = time.monotonic()
        self.milliseconds, self.late, self.lasting = 0.0, "", ""
        # A process that is about to be gone has no environment any more, and may have files still.
        while left := describe(of_run(run)) or describe_holders(inodes):
            elapsed = time.monotonic() - start
            if elapsed > 0.1 and not self.late:
                self.late = f"after 100 ms there are left {left}"
            if elapsed > 5:
                self.lasting = f"after 5 s there are left {left}"
                kill(run)
                break
            time.sleep(0.002)
        self.milliseconds = (time.monotonic() - start) * 1000
        if names := named_memory():
            self.lasting += f" /dev/shm holds {sorted(names)}"


def describe(processes):
    return ", ".join(
        f"{'worker' if worker else 'process'} {pid} ({state(pid) or 'gone'})" for pid, worker in processes.items())


def describe_holders(inodes):
    return ", ".join(
        f"process {pid} ({state(pid) or 'gone'}) with shared memory" for pid in all_holders(inodes))


def kill(run):
    """Ends whatever is left of a run, so that it does not disturb the next."""
    for _ in range(50):
        left = of_run(run)
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, 9)
            except OSError:
                pass
        time.sleep(0.01)
