"""What the tests of the setup share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.setup_script import Script


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The script's functions, with a folder of their own."""
    return Script(tmp_path)
