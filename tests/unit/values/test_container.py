"""A graph and its blobs in one file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.values import container_parts, decode, encode, read_container, write_container

VALUES = {"text": "é" * 5000, "raw": bytearray(range(200)), "items": list(range(1000)), "n": 1}


def test_there_and_back(tmp_path: Path) -> None:
    encoded = encode(VALUES)
    path = tmp_path / "values"
    size = write_container(path, encoded.graph, encoded.blobs)
    assert path.stat().st_size == size == container_parts(encoded.graph, encoded.blobs)[0]
    file = io.BytesIO()
    write_container(file, encoded.graph, encoded.blobs)
    assert file.getvalue() == path.read_bytes()
    graph, blobs = read_container(path)
    assert all(blob.offset % 64 == 0 for blob in blobs.values())
    assert decode(graph, blobs, allow_pickle=False).values == VALUES
    again = tmp_path / "again"
    write_container(again, graph, blobs)
    assert again.read_bytes() == path.read_bytes()


def test_without_blobs(tmp_path: Path) -> None:
    write_container(tmp_path / "v", encode({"x": 1}).graph, {"empty": b""})
    graph, blobs = read_container(tmp_path / "v")
    assert graph["roots"] == {"x": 1}
    assert bytes(blobs["empty"].view()) == b""


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"PK\3\4" + data,
        lambda data: data[:20],
        lambda data: data[:-100],
        lambda data: data[:8] + b"\xff" * 8 + data[16:],
        lambda data: data[:16] + b"[" * 100_000 + data[16:],
        lambda data: data.replace(b'"b0":[0,', b'"b0":[-1,'),
        lambda data: data.replace(b'"b0":[0,', b'"b0":"a",'),
        lambda data: data.replace(b'"blobs"', b'"blubs"'),
    ],
)
def test_a_broken_file_is_an_invalid_argument(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "values"
    encoded = encode(VALUES)
    write_container(path, encoded.graph, encoded.blobs)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InvalidArgument):
        read_container(path)
