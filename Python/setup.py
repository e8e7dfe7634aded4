"""Builds the engine, which is written in Swift, into the package."""

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIBRARY = "libApusPython.so"


class BuildWithEngine(build_py):
    def run(self):
        super().run()
        package = Path(self.get_package_dir("apus") if self.editable_mode else Path(self.build_lib) / "apus")
        shutil.copy2(build_engine(), package / LIBRARY)


def build_engine():
    """Builds the engine's library, with Swift's own linked in and nothing to be seen of it."""
    if shutil.which("swift") is None:
        raise SystemExit("apus: `swift` is not in PATH: install Swift 6.3 or later (https://www.swift.org/install)")
    scratch = Path(os.environ.get("APUS_PYTHON_SCRATCH", ROOT / ".build-python"))
    exports = ROOT / "Sources/ApusPython/exports.map"
    options = ["-c", "release", "--product", "ApusPython", "--scratch-path", str(scratch)]
    options += ["--static-swift-stdlib", "-Xswiftc", "-static-stdlib"]
    for option in (f"--version-script={exports}", "--gc-sections", "-s"):
        options += ["-Xlinker", option]
    subprocess.run(["swift", "build", *options], cwd=ROOT, check=True)
    return scratch / "release" / LIBRARY


class AnyPython(bdist_wheel):
    """One wheel for all Pythons of a platform: the library knows nothing of Python."""

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


fast = Extension(
    "apus._fast", ["apus/_fast.c"], include_dirs=[str(ROOT / "Sources/CApusPython/include")], py_limited_api=True,
    extra_compile_args=["-Wall", "-Werror", "-Wno-unused-parameter"], optional=True)
setup(cmdclass={"build_py": BuildWithEngine, "bdist_wheel": AnyPython}, ext_modules=[fast])
