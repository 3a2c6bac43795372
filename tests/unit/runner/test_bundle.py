"""Bundles are unpacked whole, or refused before anything is written."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_runner import bundle


def make(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], packed: bool = False) -> str:
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return str(path)


@pytest.mark.parametrize("packed", [False, True])
def test_files_and_blobs(tmp_path: Path, packed: bool) -> None:
    path = make(
        tmp_path / "b.zip",
        ("files/helper.py", b"x = 1"),
        ("files/package/deep/m.py", b"y = 2"),
        ("blobs/b0", b"0" * 5000),
        ("blobs/b1", b""),
        packed=packed,
    )
    bundle.extract_files(path, str(tmp_path / "work"))
    assert (tmp_path / "work" / "helper.py").read_bytes() == b"x = 1"
    assert (tmp_path / "work" / "package" / "deep" / "m.py").read_bytes() == b"y = 2"
    blobs = bundle.open_blobs(path)
    assert {name: bytes(blob) for name, blob in blobs.items()} == {"b0": b"0" * 5000, "b1": b""}
    blobs["b0"][0] = 1  # The job's own copy.
    assert zipfile.ZipFile(path).read("blobs/b0") == b"0" * 5000


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("files/link")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    "name", ["../out", "files/../../out", "/etc/out", "files/a\\..\\..\\out", "C:/out", link()]
)
def test_entries_that_lead_outside(tmp_path: Path, name: str | zipfile.ZipInfo) -> None:
    path = make(tmp_path / "b.zip", ("files/good", b"1"), (name, b"target"))
    with pytest.raises(InvalidArgument):
        bundle.extract_files(path, str(tmp_path / "work"))
    assert not (tmp_path / "work").exists()


def test_bomb(tmp_path: Path) -> None:
    path = make(tmp_path / "b.zip", ("files/bomb", b"\0" * 50_000_000), packed=True)
    with pytest.raises(InvalidArgument, match="packed too tightly"):
        bundle.extract_files(path, str(tmp_path / "work"))


def test_no_zip(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"no zip at all")
    with pytest.raises(InvalidArgument, match="can't be read"):
        bundle.open_blobs(str(tmp_path / "b.zip"))


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_ENTRIES_LIMIT", 2)
    path = make(tmp_path / "b.zip", *[(f"files/{n}", b"") for n in range(3)])
    with pytest.raises(InvalidArgument, match="3 entries"):
        bundle.extract_files(path, str(tmp_path / "work"))
