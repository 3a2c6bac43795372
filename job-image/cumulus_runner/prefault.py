"""Copies the memory that every job writes to ahead of the job, while its process waits for one.

A forked process pays for each page that it writes to first: a fault, then the copy. The same pages
are written to in every job, so a rehearsal in a forked process finds them once, and each child has them
copied by one system call as soon as it is forked. Where the kernel can't do this, pages are copied one by
one as they are written to; nothing else is different.
"""

from __future__ import annotations

import array
import ctypes
import os
import struct
from typing import Callable, List, Tuple

from . import native

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PRESENT, _OF_A_FILE, _EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
#: Ranges closer than this are taken together.
_GAP_PAGES = 0
_POPULATE_WRITE = 23
_SYS_PROCESS_MADVISE = 440
_SELF = -10000
_IOVEC_LIMIT = 1024

Range = Tuple[int, int]


class HotPages:
    """The ranges of memory to copy ahead, as the kernel wants them."""

    def __init__(self, ranges: List[Range]) -> None:
        self._count = min(len(ranges), _IOVEC_LIMIT)
        flat = [number for range_ in ranges[: self._count] for number in range_]
        self._vector = (ctypes.c_size_t * max(1, len(flat)))(*flat)

    def copy(self) -> None:
        """Copy them, in a process that has just been forked."""
        if self._count:
            native.system_call(_SYS_PROCESS_MADVISE, _SELF, self._vector, self._count, _POPULATE_WRITE, 0)


def find_hot_pages(work: Callable[[], None]) -> HotPages:
    """The pages that ``work`` writes to, found by doing it in a forked process."""
    areas = _writable_areas()
    if not areas or not os.path.exists("/proc/self/pagemap"):
        return HotPages([])
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _own_pages(areas)  # Writes to memory of its own, which is not the work's.
            before = set(_own_pages(areas))
            work()
            written = [page for page in _own_pages(areas) if page not in before]
            found = array.array("Q", [n for range_ in _joined(written) for n in range_])
            os.close(reading)
            with open(writing, "wb") as pipe:
                pipe.write(found.tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        numbers = array.array("Q", pipe.read())
    os.waitpid(pid, 0)
    return HotPages(list(zip(numbers[::2], numbers[1::2])))


def _writable_areas() -> List[Range]:
    """Start and end of the private memory that can be written to."""
    areas: List[Range] = []
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split(None, 5)
            if words[1] == "rw-p" and not line.rstrip().endswith("[stack]"):
                start, _, end = words[0].partition("-")
                areas.append((int(start, 16), int(end, 16)))
    return areas


def _own_pages(areas: List[Range]) -> List[int]:
    """Addresses of the pages in ``areas`` that no other process maps."""
    pages: List[int] = []
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        for start, end in areas:
            count = (end - start) // _PAGE_BYTES
            file.seek(start // _PAGE_BYTES * 8)
            entries = struct.unpack(f"{count}Q", file.read(8 * count))
            pages.extend(
                start + index * _PAGE_BYTES
                for index, entry in enumerate(entries)
                if entry & _PRESENT and entry & _EXCLUSIVE and not entry & _OF_A_FILE
            )
    return pages


def _joined(pages: List[int]) -> List[Range]:
    """Address and length of the runs that pages in ascending order make."""
    ranges: List[Range] = []
    for page in pages:
        if ranges and sum(ranges[-1]) == page:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + _PAGE_BYTES)
        else:
            ranges.append((page, _PAGE_BYTES))
    return ranges
