"""The wheel runs where its name says: `Scripts/test` says where it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("auditwheel")


@pytest.mark.skipif("APUS_TEST_WHEELS" not in os.environ, reason="it is not said where the wheel is")
def test_auditwheel_agrees_with_its_name():
    [wheel] = Path(os.environ["APUS_TEST_WHEELS"]).glob("*.whl")
    _, _, python, abi, platform = wheel.stem.split("-")
    assert (python, abi) == ("py3", "none") and platform.startswith("manylinux_2_")
    found = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=True).stdout
    assert f'consistent with the following platform tag: "{platform}"' in " ".join(found.split()), found
