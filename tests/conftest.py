"""What every test has: a home of its own, and no setting of the machine it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.homes import Home, fresh_home


@pytest.fixture(scope="session", autouse=True)
def own_home() -> Iterator[Home]:
    """An empty HOME, for this process and every one it starts."""
    before = dict(os.environ)
    with fresh_home() as home:
        own = home.environment()
        os.environ.clear()
        os.environ.update(own)
        yield home
    os.environ.clear()
    os.environ.update(before)
