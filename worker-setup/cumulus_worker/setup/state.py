"""What a host keeps of being a worker: ``/etc/cumulus/worker.json``, for root alone."""

from __future__ import annotations

import json
import os
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
    text = json.dumps({**load(folder), **more}, indent=1)
    fresh = folder / f"{_NAME}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / _NAME)


def read_terms(path: str) -> dict[str, Any]:
    """What the relay answered to the enrolment."""
    terms: dict[str, Any] = json.loads(Path(path).read_text())
    return terms
