"""Programs as ranks: started by the command of the package, and by the launchers of the MPI libraries of this machine."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

# No test takes so long; one that hangs is to fail.
HANG = 100
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

APUS = pytest.param([sys.executable, "-m", "apus", "launch"], id="apus")
_MPI = {
    "openmpi": ["mpirun.openmpi", "--oversubscribe"],
    "mpich": ["mpiexec.mpich"],
}
MPI = [
    pytest.param(
        command, id=name,
        # Where all is to be tested, one that is missing is a failure.
        marks=pytest.mark.skipif(not shutil.which(command[0]) and not os.environ.get("CI"), reason=f"{command[0]} is not installed"))
    for name, command in _MPI.items()
]
EVERYWHERE = [APUS, *MPI]

# What tests' programs begin with.
_BEGINNING = """
from apus import mpi
import os, sys
world = mpi.world()
rank, size = world.rank, world.size
"""


def start(launcher, count, code, tmp_path, beginning=_BEGINNING, **options):
    program = tmp_path / "program.py"
    program.write_text(beginning + textwrap.dedent(code))
    return subprocess.Popen(
        [*launcher, "-n", str(count), sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, env={**os.environ, **AS_ROOT}, **options)


def run(launcher, count, code, tmp_path, beginning=_BEGINNING):
    """What a program does as so many ranks."""
    process = start(launcher, count, code, tmp_path, beginning)
    try:
        output, errors = process.communicate(timeout=HANG)
    except subprocess.TimeoutExpired:
        process.terminate()
        output, errors = process.communicate()
        raise AssertionError(f"it hangs\n{output}\n{errors}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def check(launcher, count, code, tmp_path, beginning=_BEGINNING):
    """Runs a program that must end well. Returns the lines that it prints, sorted."""
    done = run(launcher, count, code, tmp_path, beginning)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(done.stdout.splitlines())
