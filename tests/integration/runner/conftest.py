"""A served runner and the relay it dials, shared by the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.runner_relay import FakeRelay
from tests.fakes.served_runner import ServedRunner


@pytest.fixture(scope="module")
def relay() -> Iterator[FakeRelay]:
    relay = FakeRelay()
    yield relay
    relay.stop()


@pytest.fixture(scope="module")
def runner(relay: FakeRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRunner]:
    runner = ServedRunner(relay, tmp_path_factory.mktemp("runner"))
    yield runner
    runner.close()


@pytest.fixture
def own_runner(relay: FakeRelay, tmp_path: Path) -> Iterator[ServedRunner]:
    """A runner that the test may spoil."""
    runner = ServedRunner(relay, tmp_path)
    yield runner
    runner.close()
