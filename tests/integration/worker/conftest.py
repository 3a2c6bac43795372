"""Daemons for the tests here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .daemons import Daemon


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """One that runs, with two simulated devices."""
    # A socket's path may be a hundred characters long; a test's own folder is longer.
    with tempfile.TemporaryDirectory() as folder:
        running = Daemon(Path(folder))
        running.start()
        yield running
        running.kill()
