"""A child's pipes, and its standard streams."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Iterable, Tuple

_PIPE_BYTES = 1024 * 1024
_F_SETPIPE_SZ = 1031  # fcntl names it since Python 3.10.
#: No descriptor of a runner is higher.
_DESCRIPTORS = 256


#: Descriptors of one side: for messages and text in order, and for what C code prints to stdout and stderr.
Ends = Tuple[int, int, int]


def pipes() -> Tuple[Ends, Ends]:
    """The ends to read from, which do not block, and the ends to write to."""
    frames, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
    with contextlib.suppress(OSError):  # More than this user may have; the default serves too.
        fcntl.fcntl(frames[1], _F_SETPIPE_SZ, _PIPE_BYTES)
    reading = (frames[0], stdout[0], stderr[0])
    for fd in reading:
        os.set_blocking(fd, False)
    return reading, (frames[1], stdout[1], stderr[1])


def take_places(stdout: int, stderr: int) -> None:
    """Make these the standard streams of this process; nothing can be read."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)


def close_all_but(kept: Iterable[int]) -> None:
    """Close whatever is above the standard streams, and not among these."""
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _DESCRIPTORS)
