"""Objects whose large buffers (NumPy's arrays, for one) lie beside their pickle and are not copied into it.

The bytes of a frame: a head of 64 bytes, each buffer from a multiple of 64 on, the pickle, and how long each buffer is. What is
read from it shares its memory.
"""

import struct

from ._pickling import pickle
from ._protocol import FRAME

# Smaller buffers are copied into the pickle.
LEAST = 64 << 10
ALIGNMENT = 64
# The first byte, the number of buffers, where the pickle begins, how long it is.
_HEAD = struct.Struct("<BxxxIQQ")
_PADDING = bytes(ALIGNMENT)


def keeper(buffers):
    """A `buffer_callback` of pickle's that puts large buffers into a list instead of the pickle."""

    def callback(buffer):
        try:
            view = buffer.raw()
        except BufferError:
            return True
        # Of memory that can't be written to nobody says where it is.
        if view.nbytes < LEAST or view.readonly:
            return True
        buffers.append(view)
        return False

    return callback


class Frame:
    """A frame to be sent. It refers to the memory of the buffers."""

    __slots__ = ("_pickled", "_buffers", "_flags", "size")

    def __init__(self, pickled, buffers, flags=0):
        self._pickled, self._buffers, self._flags = pickled, buffers, flags
        self.size = len(pickled) + sum(buffer.nbytes for buffer in buffers)

    def pieces(self, trailer=b""):
        """Where its bytes are. They end with `trailer`."""
        place, parts = ALIGNMENT, []
        for buffer in self._buffers:
            padding = -buffer.nbytes % ALIGNMENT
            parts += [buffer, _PADDING[:padding]]
            place += buffer.nbytes + padding
        from ._native import Pieces

        head = _HEAD.pack(FRAME | self._flags, len(self._buffers), place, len(self._pickled))
        lengths = struct.pack(f"<{len(self._buffers)}Q", *(buffer.nbytes for buffer in self._buffers))
        return Pieces([head.ljust(ALIGNMENT, b"\0"), *parts, self._pickled, lengths + trailer])


def loads(data):
    """What a frame holds. It shares the frame's memory, which it keeps."""
    data = memoryview(data)
    if data.readonly:
        data = memoryview(bytearray(data))
    _, count, place, length = _HEAD.unpack_from(data)
    lengths = struct.unpack_from(f"<{count}Q", data, place + length)
    buffers, start = [], ALIGNMENT
    for size in lengths:
        buffers.append(data[start:start + size])
        start += size + -size % ALIGNMENT
    return pickle.loads(data[place:place + length], buffers=buffers)
