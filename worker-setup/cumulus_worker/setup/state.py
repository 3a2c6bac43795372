"""What a host keeps of being a worker: ``/etc/cumulus/worker.json``, for root alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path("/etc/cumulus")
_NAME = "worker.json"


def load(folder: Path = FOLDER) -> dict[str, Any]:
    """What is kept; empty on a host that is no worker."""
    try:
        kept: dict[str, Any] = json.loads((folder / _NAME).read_text())
    except FileNotFoundError:
        return {}
    return kept


def keep(folder: Path = FOLDER, **more: Any) -> None:
    """Add to what is kept, or nothing at all: a crash leaves the old file. One key a line, for the script."""
    with _alone(folder):
        text = json.dumps({**load(folder), **more}, indent=1)
        fresh = folder / f"{_NAME}.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / _NAME)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Steps run beside each other, and each keeps something."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def read_terms(path: str) -> dict[str, Any]:
    """What the relay answered to the enrolment."""
    terms: dict[str, Any] = json.loads(Path(path).read_text())
    return terms
