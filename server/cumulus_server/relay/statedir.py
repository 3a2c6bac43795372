"""The state folder: one live relay at a time, and how others find it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from cumulus_jupyter.protocol.errors import Unavailable


class StateDir:
    """Holds the folder's lock while this relay is the live one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Tells clients and runners where the live relay is; readable by its user only.
        self.relay_file = path / "relay.json"
        self._lock_file = path / "lock"
        self._lock: int | None = None
        #: Device and inode of the file whose lock is held, and what was written into it.
        self._held, self._mark = (0, 0), b""
        self._told: dict[str, Any] = {}

    def acquire(self) -> bool:
        """Become the live relay of this folder; False where another process is. Raises ``OSError``."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        mark = secrets.token_hex(16).encode()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.write(lock, mark)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._lock, self._held, self._mark = lock, _number_of(os.fstat(lock)), mark
        if self.lost:  # removed after it was opened
            self.release()
            return self.acquire()
        return True

    @property
    def lost(self) -> bool:
        """Whether the folder or its lock was removed or replaced, so that another relay may be live there."""
        if self._lock is None:
            return False
        try:
            if _number_of(os.stat(self._lock_file)) == self._held:
                return False
            return self._lock_file.read_bytes() != self._mark  # some file systems number a file anew
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # it cannot be seen now, which says nothing

    def check(self) -> None:
        """Raise ``Unavailable`` where it is ``lost``. The store asks before each transaction."""
        if self.lost:
            raise Unavailable(
                f"The state folder {self.path}, or the lock in it, was removed or replaced while this relay"
                " used it",
                next="Start the relay, or its Jupyter server, again. To remove its state, stop it first.",
            )

    def release(self) -> None:
        """Let another relay become live. Idempotent."""
        if self._lock is not None:
            if not self.lost or self.announced() == self._told:
                self.relay_file.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def announce(self, facts: dict[str, Any]) -> None:
        """Write ``relay.json``, whole or not at all."""
        fresh = self.path / f".relay.json.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(facts, file)
        fresh.replace(self.relay_file)
        self._told = facts

    def announced(self) -> dict[str, Any]:
        """What the live relay has announced; empty where it has not."""
        try:
            facts = json.loads(self.relay_file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}


def _number_of(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino
