"""What several files here ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .enrolling import Relay


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay."""
    made = Relay(tmp_path / "test.db")
    yield made
    made.store.close()
