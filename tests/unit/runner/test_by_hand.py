"""A folder of code, run by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def run(folder: Path, code: str) -> tuple[int, dict[str, object], str]:
    (folder / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "cumulus_runner", "--code", str(folder)], capture_output=True, text=True
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_success(tmp_path: Path) -> None:
    status, answer, printed = run(tmp_path, "def main():\n    print('working')\n    return {'x': 1}")
    assert (status, answer) == (0, {"status": "success", "result": {"x": 1}})
    assert printed == "working\n"


def test_failure(tmp_path: Path) -> None:
    status, answer, printed = run(tmp_path, "def main():\n    raise ValueError('bad')")
    assert (status, answer) == (1, {"status": "failed", "error": "ValueError: bad"})
    assert "Traceback" in printed


def test_no_main(tmp_path: Path) -> None:
    assert run(tmp_path, "x = 1")[0] == 1
