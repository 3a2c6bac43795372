"""What every test has: a home of its own, and nothing that another module left in the process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.homes import Home, fresh_home

pytest_plugins = ["tests.rig.fixtures"]
# The same examples each time, and none is too slow.
steady = {"derandomize": True, "database": None, "deadline": None}
settings.register_profile("steady", suppress_health_check=[HealthCheck.too_slow], **steady)
settings.load_profile("steady")


def _restore(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell starts what runs in its background with interrupts ignored, which children would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_home() -> Iterator[Home]:
    """An empty HOME, for this process and every one it starts."""
    before = dict(os.environ)
    with fresh_home() as home:
        _restore(home.environment())
        yield home
    _restore(before)


@pytest.fixture(scope="module", autouse=True)
def _no_leavings(own_home: Home) -> Iterator[None]:
    """A relay in this process tells its address by the environment, a client by a class attribute."""
    before = dict(os.environ)
    yield
    _restore(before)
    remote_value = sys.modules.get("cumulus_jupyter.values.remote_value")
    if remote_value is not None:
        remote_value.RemoteValue._fetcher = None
