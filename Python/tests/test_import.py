"""`import apus` does next to nothing."""

import subprocess
import sys

CODE = """
import sys, os
before = set(sys.modules)
import apus
print(sorted(set(sys.modules) - before), len(os.listdir("/proc/self/task")))
"""


def test_import_loads_no_other_module_and_starts_no_thread():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "['apus'] 1\n"
