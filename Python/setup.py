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
        return ("py3", "none", super().get_tag()[2])


fast = [
    Extension(
        f"apus.{name}", [f"apus/{name}.c"], include_dirs=[str(ROOT / "Sources/CApusPython/include")], py_limited_api=True,
        extra_compile_args=["-Wall", "-Werror", "-Wno-unused-parameter"], optional=True)
    for name in ("_fast", "_fast_messages")
]
setup(cmdclass={"build_py": BuildWithEngine, "bdist_wheel": AnyPython}, ext_modules=fast)
