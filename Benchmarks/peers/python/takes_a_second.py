"""Stands for libraries that take long to import."""

import time

time.sleep(1)
