"""Blobs in memory and in files: viewing, comparing, and making writable."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class FileBlob:
    """A blob that lies in a file: a stored entry of a container, or a file of its own."""

    path: str
    offset: int
    size_bytes: int

    def view(self) -> memoryview:
        """The bytes, mapped read-only."""
        return self._map(mmap.ACCESS_READ)

    def private(self) -> memoryview:
        """The bytes, mapped copy-on-write: writes stay in this process, and out of the file."""
        return self._map(mmap.ACCESS_COPY)

    def _map(self, access: int) -> memoryview:
        if self.size_bytes == 0:
            return memoryview(b"")
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        with open(self.path, "rb") as file:
            mapped = mmap.mmap(
                file.fileno(), self.offset - start + self.size_bytes, access=access, offset=start
            )
        return memoryview(mapped)[self.offset - start :]


def flat(blob: Any) -> memoryview:
    """The blob as plain bytes, without a copy; a buffer must be contiguous."""
    if isinstance(blob, FileBlob):
        return blob.view()
    view = memoryview(blob)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def size_of(blob: Any) -> int:
    """The blob's size in bytes; a file is not opened for it."""
    return blob.size_bytes if isinstance(blob, FileBlob) else memoryview(blob).nbytes


def private(blob: Any) -> memoryview:
    """Writable memory with the blob's bytes; the blob itself stays as it is."""
    # An entry at an odd offset would make arrays that the processor reads slowly.
    if isinstance(blob, FileBlob) and blob.offset % 16 == 0:
        return blob.private()
    return memoryview(bytearray(flat(blob)))


def buffers_equal(left: Any, right: Any) -> bool:
    """Whether two blobs hold the same bytes.

    ``memoryview == memoryview`` compares item by item; a bytearray compares with any buffer by
    memcmp, so each chunk of one side passes through one that fits the cache.
    """
    a, b = flat(left), flat(right)
    if a.nbytes != b.nbytes:
        return False
    for start in range(0, a.nbytes, _CHUNK_BYTES):
        if bytearray(a[start : start + _CHUNK_BYTES]) != b[start : start + _CHUNK_BYTES]:
            return False
    return True
