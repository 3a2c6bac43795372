"""What acceptance tests share: an untouched home, and a relay in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.homes import Home, fresh_home

from .containers import settle
from .kernels import Kernel
from .relays import RelayProcess


@pytest.fixture
def home() -> Iterator[Home]:
    """A home that nothing has touched yet."""
    with fresh_home() as made:
        yield made


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    """A relay that is ready, shared by a module's tests."""
    with fresh_home() as made:
        process = RelayProcess(made)
        process.start()
        process.wait_ready()
        assert process.running, process.log
        yield process
        process.stop()


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """A kernel with the magic loaded, and a relay with local processes alone, shared by a module's tests."""
    with fresh_home() as made:
        settle(made, executors=["process"])
        started = Kernel(made)
        shown = started.run("%load_ext cumulus_jupyter\n%cumulus config simulated_gpus=1")
        assert not shown.error, shown.traceback
        yield started
        started.close()
