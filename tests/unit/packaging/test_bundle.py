"""The bundle: a plain zip, the same bytes for the same contents."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulus_jupyter.packaging import Packaged, bundle, bundle_parts, bundle_size, needs_bundle, write_bundle
from cumulus_jupyter.protocol.program import Program


def packaged(blobs: dict[str, Any], files: dict[str, Any]) -> Packaged:
    return Packaged(Program("cell"), blobs=blobs, files=files)


def test_no_bundle_where_nothing_needs_one() -> None:
    nothing = packaged({}, {})
    assert (needs_bundle(nothing), write_bundle(nothing), bundle_parts(nothing)) == (False, None, [])


@given(
    st.dictionaries(st.from_regex(r"b[0-9]{1,3}", fullmatch=True), st.binary(max_size=300), max_size=5),
    st.dictionaries(st.from_regex(r"[a-zé]{1,9}(/[a-z]{1,9})?\.py", fullmatch=True), st.binary(), max_size=5),
)
def test_zip_readers_find_what_was_put_in(blobs: dict[str, bytes], files: dict[str, bytes]) -> None:
    data = write_bundle(packaged(blobs, files))
    expected = {f"blobs/{k}": v for k, v in blobs.items()} | {f"files/{k}": v for k, v in files.items()}
    if data is None:
        assert not expected
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {entry.filename: archive.read(entry) for entry in archive.infolist()} == expected
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            head = data[entry.header_offset : entry.header_offset + 30]
            start = entry.header_offset + 30 + int.from_bytes(head[26:28], "little")
            assert (start + int.from_bytes(head[28:30], "little")) % 64 == 0


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x = 1")
    one = write_bundle(packaged({"b0": b"1"}, {"m.py": tmp_path / "m.py", "a.py": b""}))
    (tmp_path / "m.py").touch()
    assert one == write_bundle(packaged({"b0": b"1"}, {"a.py": b"", "m.py": tmp_path / "m.py"}))


def test_a_bundle_in_a_file(tmp_path: Path) -> None:
    contents = packaged({"b0": memoryview(np.arange(5))}, {})
    assert write_bundle(contents, tmp_path / "bundle.zip") is None
    assert (tmp_path / "bundle.zip").read_bytes() == write_bundle(contents)
    assert bundle_size(bundle_parts(contents)) == (tmp_path / "bundle.zip").stat().st_size


def test_blobs_are_not_copied() -> None:
    array = np.zeros(1000)
    parts = bundle_parts(packaged({"b0": memoryview(array)}, {}))
    array[0] = 7
    assert any(np.frombuffer(part, dtype=array.dtype)[0] == 7 for part in parts if len(part) == array.nbytes)


def test_entries_beyond_four_gigabytes_are_told_in_wide_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_FULL", 100)
    data = write_bundle(packaged({"b0": bytes(150), "b1": b"x" * 40, "b2": bytes(200)}, {}))
    assert data is not None
    # Readers look at wide fields only where the narrow ones are full.
    assert data.count((150).to_bytes(8, "little") * 2) == 2
    assert b"PK\x06\x06" in data and b"PK\x06\x07" in data
