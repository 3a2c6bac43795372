"""Checks a bundle without unpacking it: a damaged or hostile archive is refused at the door."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from cumulus_jupyter.protocol.errors import InvalidArgument, PayloadTooLarge

MAX_ENTRIES = 10_000
#: Unpacked to packed size, for an entry that is not tiny.
MAX_RATIO = 200
_TINY_BYTES = 1 << 20

_NEXT = "Let the client make the bundle; do not write it by hand."


def check_bundle(path: Path, limit_bytes: int) -> None:
    """Raise ``InvalidArgument`` or ``PayloadTooLarge`` unless the zip file is safe to unpack. Blocks."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InvalidArgument(f"The bundle is not a readable zip file: {error}", next=_NEXT) from None
    if len(entries) > MAX_ENTRIES:
        raise PayloadTooLarge(
            f"The bundle has {len(entries)} entries; at most {MAX_ENTRIES} are allowed",
            next="Send fewer files: move data out of the module folders.",
        )
    names: set[str] = set()
    total = 0
    for entry in entries:
        _check_entry(entry)
        if entry.filename in names:
            raise InvalidArgument(f"The bundle has two entries {entry.filename!r}", next=_NEXT)
        names.add(entry.filename)
        total += entry.file_size
    if total > limit_bytes:
        raise PayloadTooLarge(
            f"The bundle unpacks to {total} bytes; at most {limit_bytes} are allowed",
            next="Send less, or raise Cumulus.bundle_limit_bytes.",
        )


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = PurePosixPath(name).parts
    if not name or "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or ":" in parts[0]:
        raise InvalidArgument(f"The bundle has an entry with an unsafe path: {name!r}", next=_NEXT)
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidArgument(f"The bundle has a link or special file: {name!r}", next=_NEXT)
    if entry.flag_bits & 0x1:
        raise InvalidArgument(f"The bundle has an encrypted entry: {name!r}", next=_NEXT)
    if entry.file_size > _TINY_BYTES and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        raise InvalidArgument(f"The bundle has an entry that unpacks out of proportion: {name!r}", next=_NEXT)
