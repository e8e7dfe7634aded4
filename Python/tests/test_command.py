"""The command `apus`, which comes with the package."""

import os
import subprocess
import sys
import sysconfig

SCRIPT = os.path.join(sysconfig.get_path("scripts"), "apus")
MODULE = [sys.executable, "-m", "apus"]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=100, **options)


def test_both_ways_to_call_it():
    for command in ([SCRIPT], MODULE):
        done = run(*command, "--help")
        assert done.returncode == 0 and "launch" in done.stdout


def test_ranks_of_python():
    code = "from apus import mpi; print(mpi.world().rank, mpi.world().size)"
    for command in ([SCRIPT], MODULE):
        done = run(*command, "launch", "-n", "3", sys.executable, "-c", code)
        assert (done.returncode, sorted(done.stdout.split("\n"))) == (0, ["", "0 3", "1 3", "2 3"])


def test_statuses_are_those_of_the_command():
    assert run(*MODULE, "launch", "-n", "1", sys.executable, "-c", "raise SystemExit(5)").returncode == 5
    assert run(*MODULE, "launch", "-n", "1", "/no/such/program").returncode == 127
    assert run(*MODULE, "no-such-command").returncode != 0


def test_the_process_is_the_command_itself():
    """So signals and the terminal are its own."""
    done = run(*MODULE, "launch", "-n", "1", sys.executable, "-c", "import os; print(open(f'/proc/{os.getppid()}/comm').read())")
    assert done.stdout.strip() == "apus"


def test_it_needs_nothing_of_swift():
    import apus

    program = os.path.join(os.path.dirname(apus.__file__), "bin", "apus")
    assert "libswift" not in run("ldd", program).stdout


def test_a_missing_program_is_told(tmp_path):
    import shutil

    import apus

    shutil.copytree(os.path.dirname(apus.__file__), tmp_path / "apus", ignore=shutil.ignore_patterns("bin", "__pycache__"))
    done = run(*MODULE, "--help", cwd=tmp_path)
    assert done.returncode != 0 and "can't be run" in done.stderr
