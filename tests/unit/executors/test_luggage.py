"""What travels: the same each time, and able to run where it arrives."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from cumulus_server.executors import luggage


def test_equal_luggage_is_equal(tmp_path: Path) -> None:
    assert luggage.pack_zip(tmp_path / "a.zip") == luggage.pack_zip(tmp_path / "b" / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b" / "b.zip").read_bytes()
    assert luggage.pack(tmp_path / "folder") == luggage.fingerprint()
    assert (tmp_path / "folder" / "FINGERPRINT").read_text() == luggage.fingerprint()


def test_the_zip_is_compiled_and_runs(tmp_path: Path) -> None:
    luggage.pack_zip(tmp_path / "runner.zip")
    with zipfile.ZipFile(tmp_path / "runner.zip") as archive:
        names = set(archive.namelist())
        assert archive.read("FINGERPRINT").decode() == luggage.fingerprint()
    assert {"__main__.py", "__main__.pyc", "cumulus_runner/job.py", "cumulus_runner/job.pyc"} <= names
    assert {"cumulus_jupyter/values/__init__.py", "cloudpickle/__init__.py"} <= names
    assert not any("__pycache__" in name or "client" in name for name in names)
    command = [sys.executable, "-I", str(tmp_path / "runner.zip"), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "--assignment" in shown.stdout


def test_the_folder_is_packed_by_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cumulus_server.executors.luggage", str(tmp_path / "runner")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == luggage.fingerprint()
    assert (tmp_path / "runner" / "cumulus_runner" / "boarding.py").exists()
