"""A module that fails as it is imported."""

import os

import cell

cell.fail(os.environ["FAIL_AS_IMPORTED"])
