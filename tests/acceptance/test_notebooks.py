"""Every notebook still gives the output that it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import Home

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_LIMIT_S = 240


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_output_is_as_stored(notebook: Path, home: Home) -> None:
    """nbval starts a bare kernel, so the notebook's first cell starts this home's relay."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--nbval", "-p", "no:cacheprovider"]
    command += [f"--nbval-cell-timeout={CELL_LIMIT_S}", "--override-ini=addopts=", "--override-ini=timeout=0"]
    command += [f"--nbval-sanitize-with={ROOT / 'notebooks/sanitize.cfg'}", str(notebook)]
    environment = home.environment(CUMULUS_VIEW="plain")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_every_notebook_is_here() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"quickstart", "values", "background", "errors"}
