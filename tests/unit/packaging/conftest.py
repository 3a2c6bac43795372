"""A notebook for each test."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tests.unit.packaging.pages import NotebookPage


@pytest.fixture
def page() -> Iterator[NotebookPage]:
    config = Config()
    config.HistoryManager.enabled = False
    main = sys.modules["__main__"]
    shell = InteractiveShell(config=config, user_module=ModuleType("__main__", doc="a notebook"))
    shell.init_sys_modules()
    try:
        yield NotebookPage(shell)
    finally:
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        sys.modules["__main__"] = main
