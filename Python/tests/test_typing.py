"""The interface is typed: its uses are, and its stubs say what there is."""

import subprocess
import sys
from pathlib import Path

import pytest

import apus

pytest.importorskip("mypy")


def run(folder, *arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_uses(tmp_path):
    run(tmp_path, "mypy", "--strict", str(Path(__file__).with_name("typed_uses.py").resolve()))


# What is not public; what a generic class has at run time; and how objects are made that nobody else makes.
UNTYPED = [
    r"apus\._.*", r"apus\.libApusPython", r".*\.__class_getitem__",
    r"apus\.(results\.(AsyncResult|Results)|shared\.Shared|worker\.Worker)\.__init__"]
STUBS = sorted(
    "apus" if path.stem == "__init__" else f"apus.{path.stem}" for path in Path(apus.__file__).parent.glob("*.pyi"))


def test_stubs_are_sound(tmp_path):
    run(tmp_path, "mypy", "--strict", *(word for module in STUBS for word in ("-m", module)))


def test_stubs_say_what_there_is(tmp_path):
    (tmp_path / "mypy.ini").write_text("[mypy]\nignore_errors = True\n")
    (tmp_path / "untyped").write_text("\n".join(UNTYPED))
    run(tmp_path, "mypy.stubtest", "--mypy-config-file", "mypy.ini", "--allowlist", "untyped", "apus")


def test_every_public_name_has_a_type():
    stub = Path(apus.__file__).with_suffix(".pyi").read_text()
    for name in apus._places:
        assert f" {name} as {name}" in stub, name
