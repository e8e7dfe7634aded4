"""Builds the engine, which is written in Swift, into the package."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
# In a source distribution the engine's sources are within.
ROOT = HERE / "engine" if (HERE / "engine").is_dir() else HERE.parent
LIBRARY, COMMAND = "libApusPython.so", "apus"


class BuildWithEngine(build_py):
    def run(self):
        super().run()
        package = Path(self.get_package_dir("apus") if self.editable_mode else Path(self.build_lib) / "apus")
        # Nothing of Swift's is to be seen from outside of the library.
        exports = ROOT / "Sources/ApusPython/exports.map"
        shutil.copy2(build_engine("ApusPython", f"--version-script={exports}") / LIBRARY, package / LIBRARY)
        (package / "bin").mkdir(exist_ok=True)
        shutil.copy2(build_engine("apus") / COMMAND, package / "bin" / COMMAND)


def build_engine(product, *options):
    """Builds a product with Swift's own library linked in. Returns the folder that it is in."""
    if shutil.which("swift") is None:
        raise SystemExit("apus: `swift` is not in PATH: install Swift 6.3 or later (https://www.swift.org/install)")
    scratch = Path(os.environ.get("APUS_PYTHON_SCRATCH", ROOT / ".build-python"))
    command = ["swift", "build", "-c", "release", "--product", product, "--scratch-path", str(scratch)]
    command += ["--static-swift-stdlib", "-Xswiftc", "-static-stdlib"]
    for option in (*options, "--gc-sections", "-s"):
        command += ["-Xlinker", option]
    subprocess.run(command, cwd=ROOT, check=True)
    return scratch / "release"


class AnyPython(bdist_wheel):
    """One wheel for all Pythons of a platform: the library knows nothing of Python."""

    def get_tag(self):
        platform = super().get_tag()[2]
        versions = glibc_needed(Path(self.get_finalized_command("build").build_lib))
        if versions and platform.startswith("linux_"):
            platform = platform.replace("linux", f"manylinux_2_{max(versions)}", 1)
        return ("py3", "none", platform)


def glibc_needed(folder):
    """Which versions of the C library, 2.x, the binaries in a folder ask for by name."""
    found = set()
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if data.startswith(b"\x7fELF"):
            found.update(int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)(?=[.\0])", data))
    return found


class WithEngine(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for name in ("Package.swift", "LICENSE", "Sources", "Tests", "Examples"):
            source, place = ROOT / name, Path(base_dir) / "engine" / name
            place.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns(".build*", "*.o"))
            else:
                shutil.copy2(source, place)


modules = {"_fast": ("_fast", "_values", "_calls", "_serve", "_arenas"), "_fast_messages": ("_fast_messages",)}
extensions = [
    Extension(
        f"apus.{name}", [f"apus/{part}.c" for part in parts], depends=["apus/_fast.h"],
        include_dirs=[str(ROOT / "Sources/CApusPython/include")], py_limited_api=True,
        extra_compile_args=["-Wall", "-Werror", "-Wno-unused-parameter", "-fvisibility=hidden"], optional=True)
    for name, parts in modules.items()
]
setup(cmdclass={"build_py": BuildWithEngine, "bdist_wheel": AnyPython, "sdist": WithEngine}, ext_modules=extensions)
