"""Every notebook still gives the output that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.homes import Home

from .notebooks import NOTEBOOKS, check_output


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_output_is_as_stored(notebook: Path, home: Home) -> None:
    check_output(notebook, home)


def test_every_notebook_is_here() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"quickstart", "values", "background", "errors"}
