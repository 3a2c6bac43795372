"""The client against a real relay, started the way a user's first cell starts it."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from cumulus_jupyter.client.api import CumulusClient
from tests.homes import Home


@pytest.fixture(scope="session")
def client(own_home: Home) -> Iterator[CumulusClient]:
    with CumulusClient() as client:
        yield client


@pytest.fixture(scope="session")
def shell(own_home: Home, client: CumulusClient) -> Iterator[Any]:
    config = Config()
    config.HistoryManager.enabled = False
    config.Cumulus.view = "plain"
    shell: Any = InteractiveShell.instance(config=config)
    shell.colors = "nocolor"
    shell.extension_manager.load_extension("cumulus_jupyter")
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell: Any) -> Iterator[Any]:
    """Run one cell; returns its value, or raises what it raised."""
    before = set(shell.user_ns)

    def run_cell(source: str) -> Any:
        done = shell.run_cell(source, store_history=True)
        done.raise_error()
        return done.result

    yield run_cell
    for name in set(shell.user_ns) - before:
        del shell.user_ns[name]
