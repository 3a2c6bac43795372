"""Running a notebook of the repository as nbval does: every output must be the one that is stored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.homes import Home

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_LIMIT_S = 240


def check_output(notebook: Path, home: Home) -> None:
    """nbval starts a bare kernel, so the notebook's first cell starts this home's relay."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--nbval", "-p", "no:cacheprovider"]
    command += [f"--nbval-cell-timeout={CELL_LIMIT_S}", "--override-ini=addopts=", "--override-ini=timeout=0"]
    command += [f"--nbval-sanitize-with={ROOT / 'notebooks/sanitize.cfg'}", str(notebook)]
    environment = home.environment(CUMULUS_VIEW="plain")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
