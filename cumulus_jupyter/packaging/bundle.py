"""The bundle: blobs and files beside a program, as a stored zip whose bytes depend on its contents only."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .options import Packaged

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
#: 1980-01-01, the zip format's own beginning.
_DATE = 0x21
_MODE = 0o100644 << 16
_FULL = 0xFFFFFFFF
_ALIGN = 64
_PADDING = 0xD935


def bundle_parts(packaged: Packaged) -> list[Any]:
    """The bundle's bytes in pieces, to be sent one after another; empty where no bundle is needed.

    Blobs are not copied: their pieces share memory with the live values.
    """
    entries = list(_entries(packaged))
    if not entries:
        return []
    parts: list[Any] = []
    directory = bytearray()
    offset = 0
    for name, data in entries:
        view = memoryview(data).cast("B")
        encoded = name.encode()
        size, crc = view.nbytes, zlib.crc32(view)
        sizes = struct.pack("<HHQQ", 1, 16, size, size) if size >= _FULL else b""
        shown = min(size, _FULL)
        version = 45 if sizes or offset >= _FULL else 20
        # A field of padding, so that a blob begins where arrays can be used in place.
        start = offset + 30 + len(encoded) + len(sizes) + 4
        local = sizes + struct.pack("<HH", _PADDING, -start % _ALIGN) + bytes(-start % _ALIGN)
        head = struct.pack("<HHHHHIII", version, 0x800, 0, 0, _DATE, crc, shown, shown)
        parts += [_LOCAL + head + struct.pack("<HH", len(encoded), len(local)) + encoded + local, view]
        wide = sizes[4:] + (struct.pack("<Q", offset) if offset >= _FULL else b"")
        extra = struct.pack("<HH", 1, len(wide)) + wide if wide else b""
        directory += _CENTRAL + struct.pack("<H", 0x300 | version) + head
        directory += struct.pack("<HHHHHII", len(encoded), len(extra), 0, 0, 0, _MODE, min(offset, _FULL))
        directory += encoded + extra
        offset += len(parts[-2]) + size
    return [*parts, bytes(directory), _end(len(entries), len(directory), offset)]


def bundle_size(parts: list[Any]) -> int:
    """Bytes of all parts together."""
    return sum(memoryview(part).nbytes for part in parts)


def write_bundle(packaged: Packaged, path: str | Path | None = None) -> bytes | None:
    """The bundle's bytes, or ``None`` where no bundle is needed; with ``path``, written there instead."""
    parts = bundle_parts(packaged)
    if path is None:
        return b"".join(parts) if parts else None
    if parts:
        with open(path, "wb") as file:
            file.writelines(parts)
    return None


def needs_bundle(packaged: Packaged) -> bool:
    """True where something travels beside the program."""
    return bool(packaged.blobs or packaged.files)


def _entries(packaged: Packaged) -> Iterator[tuple[str, Any]]:
    for name, blob in packaged.blobs.items():
        yield f"blobs/{name}", blob
    for name, content in sorted(packaged.files.items()):
        yield f"files/{name}", content if isinstance(content, bytes) else _read(content)


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(os.fstat(file.fileno()).st_size)


def _end(count: int, directory_bytes: int, offset: int) -> bytes:
    wide = b""
    if count >= 0xFFFF or offset >= _FULL or directory_bytes >= _FULL:
        wide = _END64 + struct.pack(
            "<QHHIIQQQQ", 44, 0x300 | 45, 45, 0, 0, count, count, directory_bytes, offset
        ) + _LOCATOR64 + struct.pack("<IQI", 0, offset + directory_bytes, 1)  # fmt: skip
    shown, size, start = min(count, 0xFFFF), min(directory_bytes, _FULL), min(offset, _FULL)
    return wide + _END + struct.pack("<HHHHIIH", 0, 0, shown, shown, size, start, 0)
