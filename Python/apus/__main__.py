"""The command `apus`, a program that comes with the package: `python -m apus launch -n 4 python3 program.py`."""

import os
import sys


def main():
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "apus")
    try:
        os.execv(program, ["apus", *sys.argv[1:]])
    except OSError as problem:
        sys.exit(f"apus: {program} can't be run: {problem.strerror}; install the package apus-parallel anew")


if __name__ == "__main__":
    main()
