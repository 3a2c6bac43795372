"""Archives that must not get in, and one that must."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument, PayloadTooLarge
from cumulus_server.relay import bundles
from cumulus_server.relay.bundles import check_bundle

LIMIT = 1 << 20


def archive(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], packed: bool = False) -> Path:
    """A zip file."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def test_a_bundle_as_the_client_makes_it_passes(tmp_path: Path) -> None:
    check_bundle(
        archive(tmp_path / "b.zip", ("blobs/b0", b"x" * 1000), ("files/pkg/__init__.py", b"")), LIMIT
    )


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/abs", "..", "a\\..\\b", "C:/x", "a/..", "\\abs"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="unsafe path"):
        check_bundle(archive(tmp_path / "b.zip", (name, b"x")), LIMIT)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_special_files_are_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("files/link")
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(InvalidArgument, match="link or special"):
        check_bundle(archive(tmp_path / "b.zip", (entry, b"/etc/passwd")), LIMIT)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "b.zip", ("blobs/b0", bytes(8 << 20)), packed=True)
    assert bomb.stat().st_size < 64 << 10
    with pytest.raises(InvalidArgument, match="out of proportion"):
        check_bundle(bomb, 64 << 20)


def test_what_unpacks_over_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PayloadTooLarge):
        check_bundle(
            archive(tmp_path / "b.zip", ("a", bytes(600_000)), ("b", bytes(600_000)), packed=True), LIMIT
        )


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_ENTRIES", 3)
    with pytest.raises(PayloadTooLarge, match="entries"):
        check_bundle(archive(tmp_path / "b.zip", *((f"f{number}", b"") for number in range(4))), LIMIT)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="two entries"):
        check_bundle(archive(tmp_path / "b.zip", ("a", b"1"), ("a", b"2")), LIMIT)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match="not a readable zip"):
        check_bundle(path, LIMIT)


def test_a_damaged_archive_is_refused_whatever_is_damaged(tmp_path: Path) -> None:
    whole = archive(tmp_path / "b.zip", ("blobs/b0", b"x" * 100)).read_bytes()
    path = tmp_path / "damaged.zip"
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at])
        with pytest.raises(InvalidArgument):
            check_bundle(path, LIMIT)
