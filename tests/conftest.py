"""What every test has: a home of its own, and no setting of the machine it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Would let a test find the user's own Jupyter server or relay.
FOREIGN = ("CUMULUS_", "JPY_", "JUPYTER", "IPYTHONDIR", "XDG_")


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty HOME, for this process and every one it starts."""
    home = tmp_path_factory.mktemp("home")
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            del os.environ[name]
    os.environ["HOME"] = str(home)
    os.environ["JUPYTER_PLATFORM_DIRS"] = "1"
    yield home
    os.environ.clear()
    os.environ.update(before)
