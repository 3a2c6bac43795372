"""A shell of its own, with the magic loaded, and a relay that says what a test tells it."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tests.fakes.client_relay import TOKEN, FakeRelay, fake_relay


@pytest.fixture
def relay() -> Iterator[FakeRelay]:
    with fake_relay() as relay:
        yield relay


@pytest.fixture
def shell(relay: FakeRelay, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("CUMULUS_VIEW", "plain")
    config = Config()
    config.HistoryManager.enabled = False
    config.Cumulus.url = relay.url
    config.Cumulus.token = TOKEN
    shell: Any = InteractiveShell(config=config)
    shell.colors = "nocolor"
    shell.extension_manager.load_extension("cumulus_jupyter")
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


@pytest.fixture
def run(shell: Any) -> Any:
    """Run one cell; returns its value, or raises what it raised."""

    def run_cell(source: str) -> Any:
        done = shell.run_cell(source, store_history=True)
        done.raise_error()
        return done.result

    return run_cell
