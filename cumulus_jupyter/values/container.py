"""One file for a graph and its blobs, laid out so that blobs can be mapped.

    CUMULUS1 | length of the head, 8 bytes little-endian | head, JSON | blobs, each at a multiple of 64

The head is ``{"graph": ..., "blobs": {id: [offset, size]}}``; offsets count from the first byte after
the head, rounded up to 64. There are no paths, links or compression in it that could be abused, and
no checksum over what a transport has checked already.
"""

from __future__ import annotations

import json
import os
from typing import Any, BinaryIO, Dict, List, Mapping, Tuple, Union

from ..protocol.errors import InvalidArgument
from .buffers import FileBlob, flat

_MAGIC = b"CUMULUS1"
_ALIGN = 64
#: A head beyond this is not read.
_HEAD_LIMIT_BYTES = 1 << 31


def container_parts(graph: Mapping[str, Any], blobs: Mapping[str, Any]) -> Tuple[int, List[memoryview]]:
    """The container as buffers to be written one after the other, and their total size in bytes.

    Nothing is copied: the parts share memory with the blobs.
    """
    views = {name: flat(blob) for name, blob in blobs.items()}
    places, offset = {}, 0
    for name, view in views.items():
        places[name] = [offset, view.nbytes]
        offset += view.nbytes + -view.nbytes % _ALIGN
    head = json.dumps({"graph": graph, "blobs": places}, separators=(",", ":")).encode()
    start = _MAGIC + len(head).to_bytes(8, "little") + head
    parts = [memoryview(start + bytes(-len(start) % _ALIGN))]
    for view in views.values():
        parts.append(view)
        if view.nbytes % _ALIGN:
            parts.append(memoryview(bytes(-view.nbytes % _ALIGN)))
    return sum(part.nbytes for part in parts), parts


def write_container(
    target: Union[str, os.PathLike[str], BinaryIO], graph: Mapping[str, Any], blobs: Mapping[str, Any]
) -> int:
    """Writes a container to a path or an open binary file; returns its size in bytes."""
    size, parts = container_parts(graph, blobs)
    if isinstance(target, (str, os.PathLike)):
        with open(target, "wb", buffering=0) as file:
            _write(file, parts)
    else:
        _write(target, parts)
    return size


def _write(file: Any, parts: List[memoryview]) -> None:
    for part in parts:
        while part:
            part = part[file.write(part) :]


def read_container(path: Union[str, os.PathLike[str]]) -> Tuple[Dict[str, Any], Dict[str, FileBlob]]:
    """The graph and the blobs of a container; blobs are mapped when they are read.

    The file must stay as long as the blobs are in use. Raises ``InvalidArgument`` where it is no
    container, or a broken one.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(16)
        length = int.from_bytes(start[8:], "little")
        if start[:8] != _MAGIC or 16 + length > size or length > _HEAD_LIMIT_BYTES:
            raise InvalidArgument("This file holds no values of Cumulus, or was cut short.")
        try:
            head = json.loads(file.read(length))
            graph, places = head["graph"], dict(head["blobs"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidArgument(f"The head of a value file is broken: {error}") from error
    data = 16 + length + -(16 + length) % _ALIGN
    blobs = {}
    for blob, place in places.items():
        if not (type(place) is list and len(place) == 2 and all(type(n) is int and n >= 0 for n in place)):
            raise InvalidArgument(f"The blob {blob!r} of a value file has no place.")
        if data + place[0] + place[1] > size:
            raise InvalidArgument(f"The blob {blob!r} of a value file was cut short.")
        blobs[blob] = FileBlob(name, data + place[0], place[1])
    return graph, blobs
