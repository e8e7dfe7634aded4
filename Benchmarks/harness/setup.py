"""What a run needs: Python's peers in an environment of their own, C's and Swift's programs built."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from harness.suite import BENCHMARKS, C_PROGRAMS, ROOT, SWIFT_BUILDS, VENV

# How a program in C is built, by the end of its name: the folder of its source, the compiler, a header that it must
# find, and Debian's packages for all that.
COMPILERS = {
    "": ("c", ["gcc", "-O2", "-fno-optimize-sibling-calls"], "stdio.h", ["gcc", "libc6-dev"]),
    ".openmpi": ("mpi", ["mpicc.openmpi", "-O2"], "mpi.h", ["openmpi-bin", "libopenmpi-dev"]),
    ".mpich": ("mpi", ["mpicc.mpich", "-O2"], "mpi.h", ["mpich", "libmpich-dev"]),
}


class BenchError(Exception):
    pass


def warn_if_busy():
    if os.getloadavg()[0] > 0.7 * len(os.sched_getaffinity(0)):
        print("bench: this machine is busy with something else: the figures are worth little", file=sys.stderr)


def call(*command):
    """Runs a tool, its output on our standard error: standard output is for the table."""
    try:
        if subprocess.run([str(word) for word in command], cwd=ROOT, stdout=2).returncode != 0:
            raise BenchError(f"failed: {' '.join(map(str, command))}")
    except FileNotFoundError:
        raise BenchError(f"{command[0]} is not installed") from None


def installed(name):
    """The version of a Python package in the environment, or None."""
    folders = [str(path) for path in VENV.glob("lib/python*/site-packages")]
    return next((found.version for found in importlib.metadata.distributions(name=name, path=folders)), None)


def install_peers(packages):
    if not (VENV / "bin/python").exists():
        call("python3", "-m", "venv", VENV)
    # A folder is a package of this checkout: always built again.
    missing = [ROOT / name if "/" in name else name for name in packages if "/" in name or installed(name) is None]
    if missing:
        try:
            call(VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *missing)
        except BenchError:
            raise BenchError(f"Python's {', '.join(map(str, missing))} could not be installed; a peer can be left out "
                             "with --without NAME") from None


def programs_in_c(sides):
    return sorted({word for command in sides for word in command if isinstance(word, Path) and word.parent == C_PROGRAMS})


def check_compilers(sides):
    """Says what to install, before anything else is done."""
    missing = []
    for suffix in sorted({program.suffix for program in programs_in_c(sides)}):
        _, compiler, header, packages = COMPILERS[suffix]
        try:
            test = subprocess.run([*compiler, "-E", "-include", header, "-x", "c", "/dev/null"], capture_output=True)
            problem = f"{compiler[0]} finds no {header}" if test.returncode else None
        except FileNotFoundError:
            problem = f"there is no {compiler[0]}"
        if problem:
            print(f"bench: {problem}", file=sys.stderr)
            missing += packages
    if missing:
        raise BenchError(f"what is missing is in Debian's packages: apt-get install {' '.join(missing)}")


def build(sides):
    C_PROGRAMS.mkdir(parents=True, exist_ok=True)
    words = {word for command in sides for word in command if isinstance(word, Path)}
    for program in programs_in_c(sides):
        folder, compiler, _, _ = COMPILERS[program.suffix]
        call(*compiler, "-o", program, BENCHMARKS / "peers" / folder / f"{program.stem}.c")
    for folder, options in SWIFT_BUILDS.items():
        programs = [word.name for word in words if word.parent == folder]
        if not programs:
            continue
        # SwiftPM may keep a program's objects although a library that was compiled into them has changed.
        for objects in folder.glob("*Benchmark.build/*.o"):
            objects.unlink()
        for program in sorted(programs):
            call("swift", "build", "-c", "release", "--package-path", BENCHMARKS, "--scratch-path", folder.parent,
                 *options, "--product", program)


def check(sides):
    missing = sorted({str(word.relative_to(ROOT)) for command in sides for word in command
                      if hasattr(word, "exists") and not word.exists()})
    if missing:
        raise BenchError(f"not there: {', '.join(missing)} (run without --no-build, or with --peers)")


def machine(packages, tools):
    def first_line(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()

    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    python = subprocess.run([VENV / "bin/python", "-V"], capture_output=True, text=True).stdout.split()[-1]
    return {
        "cpu": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {"Swift": first_line("swift", "--version").partition("version ")[2].split(" ")[0],
                     "Python": python,
                     "gcc": first_line("gcc", "-dumpfullversion"),
                     "Linux": platform.release()}
        | {name: re.search(r"\d+(\.\d+)+", first_line(*command))[0] for name, command in tools.items()}
        | {name: installed(name) for name in packages if name != "matplotlib" and "/" not in name},
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
