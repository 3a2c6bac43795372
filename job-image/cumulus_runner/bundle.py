"""The bundle beside a program: files the cell imports, and blobs of its values, in one zip."""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import struct
import zipfile
from typing import Dict, List

from cumulus_jupyter.protocol.errors import InvalidArgument

_ENTRIES_LIMIT = 20_000
_BYTES_LIMIT = 64 * 2**30
_RATIO_LIMIT = 200
_LOCAL_HEAD = struct.Struct("<4s5H3I2H")
_NEXT = "Submit the cell again; if it happens again, send its values by another way."


def _entries(archive: zipfile.ZipFile) -> List[zipfile.ZipInfo]:
    """The archive's files, once all of them are known to be harmless."""
    entries = archive.infolist()
    if len(entries) > _ENTRIES_LIMIT:
        raise InvalidArgument(f"The bundle has {len(entries)} entries, over {_ENTRIES_LIMIT}", next=_NEXT)
    total = 0
    for entry in entries:
        name = entry.filename
        parts = name.replace("\\", "/").split("/")
        mode = entry.external_attr >> 16
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
            raise InvalidArgument(f"The bundle has an entry outside its folder: {name!r}", next=_NEXT)
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
            raise InvalidArgument(f"The bundle has an entry that is no plain file: {name!r}", next=_NEXT)
        if entry.file_size > _RATIO_LIMIT * max(entry.compress_size, 1024):
            raise InvalidArgument(f"The bundle has an entry packed too tightly: {name!r}", next=_NEXT)
        total += entry.file_size
        if total > _BYTES_LIMIT:
            raise InvalidArgument("The bundle unpacks to too much", next=_NEXT)
    return [entry for entry in entries if not entry.is_dir()]


def _open(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InvalidArgument(f"The bundle can't be read: {error}", next=_NEXT) from error


def extract_files(path: str, folder: str) -> None:
    """Write the bundle's ``files/...`` below ``folder``. Raises ``InvalidArgument``."""
    with _open(path) as archive:
        for entry in _entries(archive):
            if not entry.filename.startswith("files/"):
                continue
            target = os.path.join(folder, *entry.filename.split("/")[1:])
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with archive.open(entry) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def open_blobs(path: str) -> Dict[str, memoryview]:
    """The bundle's blobs by id, as private writable memory that is read from the file when used."""
    blobs: Dict[str, memoryview] = {}
    with _open(path) as archive, open(path, "rb") as file:
        stored = [entry for entry in _entries(archive) if entry.filename.startswith("blobs/")]
        memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)) if stored else None
        for entry in stored:
            name = entry.filename[len("blobs/") :]
            if entry.compress_type != zipfile.ZIP_STORED or memory is None:
                blobs[name] = memoryview(bytearray(archive.read(entry)))
                continue
            head = _LOCAL_HEAD.unpack_from(memory, entry.header_offset)
            start = entry.header_offset + _LOCAL_HEAD.size + head[9] + head[10]
            blobs[name] = memory[start : start + entry.file_size]
    return blobs
