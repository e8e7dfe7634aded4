"""What a pool and its workers say to each other, besides objects."""

import struct

# How a function is called on an item of a group (see `call_on` in `_serve.c`), or what else a definition is.
ON_ONE, ON_ARGUMENTS, ON_CALL, HOOK, SHARED = range(5)

# The first byte of what is no plain pickle: the worker may hand back a part of this group; and see `_frames.py`.
MAY_STOP, FRAME = 1, 2

# What a worker says while it is at no task of a group, but at the bytes of all.
NO_PART = (1 << 64) - 1

# Behind what a worker hands back: how long it took, and what it is. (What is before it ends where it ends.)
TRAILER = struct.Struct("<QB")
# Values; pairs of whether it is one and what it is; or why there are none.
VALUES, MIXED, BROKEN = range(3)
