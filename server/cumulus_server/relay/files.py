"""Where the relay keeps what is too large for the database: bundles, stored values, arriving bodies."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from pathlib import Path

from cumulus_jupyter.protocol.errors import InvalidArgument, ResourceExhausted


class Files:
    """The folders below the state folder, and the names of files in them."""

    def __init__(self, state_dir: Path) -> None:
        self._bundles = state_dir / "bundles"
        self._values = state_dir / "values"
        self._incoming = state_dir / "incoming"

    def prepare(self) -> None:
        """Make the folders; forget bodies that were arriving when the last relay ended."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._bundles, self._values, self._incoming):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def incoming(self) -> Path:
        """A new path for a body that is arriving."""
        return self._incoming / secrets.token_hex(12)

    def bundle(self, job_id: str) -> Path:
        """A job's bundle."""
        return self._bundles / f"{job_id}.zip"

    def value(self, job_id: str, name: str, attempt: int) -> Path:
        """A value that an attempt stored. Names are any identifier, so the file is named by their hash.

        Each attempt has files of its own, so that one that is over cannot write over the next one's.
        """
        return self._values / job_id / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.{attempt}"

    def size(self, there: Path) -> int:
        """Bytes of a file elsewhere. Raises ``InvalidArgument`` where it is no file."""
        try:
            found = there.lstat()
        except OSError as error:
            raise InvalidArgument(f"The value's file cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(found.st_mode):
            raise InvalidArgument("The value's file is not a regular file")
        return found.st_size

    def link(self, there: Path) -> Path:
        """A file elsewhere as a body that has arrived. Raises ``InvalidArgument`` where it cannot be one."""
        arrived = self.incoming()
        try:
            os.link(there, arrived, follow_symlinks=False)
        except OSError as error:
            raise InvalidArgument(f"The value's file cannot be linked to: {error.strerror}") from None
        return arrived

    def keep(self, arrived: Path, home: Path, *, sync: bool = True) -> int:
        """Put a body that has arrived in its place; its size in bytes. Blocks.

        On the disk for good where ``sync`` is true, else once ``sync`` was called. Raises
        ``ResourceExhausted`` where the disk is full.
        """
        try:
            home.parent.mkdir(exist_ok=True, mode=0o700)
            if sync:
                _sync_one(arrived)
            size_bytes = arrived.stat().st_size
            arrived.replace(home)
            if sync:
                _sync_one(home.parent)
        except OSError as error:
            raise _full(error) from error
        return size_bytes

    def sync(self, home: Path) -> None:
        """Wait until a kept file is on the disk. Raises ``ResourceExhausted``. Blocks."""
        try:
            _sync_one(home)
            _sync_one(home.parent)
        except OSError as error:
            raise _full(error) from error

    def forget(self, job_id: str) -> None:
        """Remove everything of a job. Idempotent."""
        self.bundle(job_id).unlink(missing_ok=True)
        shutil.rmtree(self._values / job_id, ignore_errors=True)

    def kept(self) -> set[str]:
        """Ids of the jobs that have files here."""
        return {path.stem for path in self._bundles.iterdir()} | {
            path.name for path in self._values.iterdir()
        }


def _full(error: OSError) -> ResourceExhausted:
    return ResourceExhausted(
        f"The relay cannot keep what was sent: {error.strerror}",
        next="Free space where the relay keeps its state, then try again.",
    )


def _sync_one(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
