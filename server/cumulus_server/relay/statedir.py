"""The state folder: one live relay at a time, and how others find it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any


class StateDir:
    """Holds the folder's lock while this relay is the live one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Tells clients and runners where the live relay is; readable by its user only.
        self.relay_file = path / "relay.json"
        self._lock: int | None = None

    def acquire(self) -> bool:
        """Become the live relay of this folder; False where another process is. Raises ``OSError``."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        """Let another relay become live. Idempotent."""
        if self._lock is not None:
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

    def announced(self) -> dict[str, Any]:
        """What the live relay has announced; empty where it has not."""
        try:
            facts = json.loads(self.relay_file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}
