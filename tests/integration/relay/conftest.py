"""A server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .harness import Server, serve


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Server]:
    """A headless server with nothing that moves its jobs."""
    async with serve(monkeypatch, tmp_path / "state") as running:
        yield running
