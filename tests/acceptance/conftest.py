"""What acceptance tests share: an untouched home, and a relay in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.homes import Home, fresh_home

from .relays import RelayProcess


@pytest.fixture
def home() -> Iterator[Home]:
    """A home that nothing has touched yet."""
    with fresh_home() as made:
        yield made


@pytest.fixture
def relay(home: Home) -> Iterator[RelayProcess]:
    """A relay that is ready."""
    process = RelayProcess(home)
    process.start()
    process.wait_ready()
    assert process.running, process.log
    yield process
    process.stop()
