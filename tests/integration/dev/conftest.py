"""One user's account with the provider, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from .account import Account


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """From which nothing has been rented yet."""
    return Account(tmp_path / "user")
