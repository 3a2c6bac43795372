"""What an installed wheel has, and what an sdist needs to become one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COLOUR = re.compile(r"\x1b\[\d*m")
IN_WHEEL = ".data/data/share/jupyter/labextensions/cumulus-lab/"


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> str:
    """What the command wrote, once it has succeeded."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wheel_of(source: Path, into: Path, **env: str) -> Path:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, "--wheel-dir", into, source, **env)
    (wheel,) = into.glob("*.whl")
    return wheel


def lab_files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as packed:
        return [name.partition(IN_WHEEL)[2] for name in packed.namelist() if IN_WHEEL in name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    return wheel_of(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel, which sees the tests' other packages."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run(*pip, wheel)
    libraries = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(libraries, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_has_the_pages_and_what_the_widget_is_made_of(wheel: Path) -> None:
    packed = lab_files(wheel)
    assert {"package.json", "install.json"} <= set(packed)
    assert any(name.startswith("static/remoteEntry.") for name in packed)
    with zipfile.ZipFile(wheel) as whole:
        names = set(whole.namelist())
    front = {f"cumulus_jupyter/view/front/{file.name}" for file in ROOT.glob("cumulus_jupyter/view/front/*")}
    assert front <= names
    assert "cumulus_lab/__init__.py" in names
    assert not [name for name in names if "node_modules" in name or name.endswith(".tsbuildinfo")]


def test_jupyter_finds_both_extensions_after_an_install(installed: Path) -> None:
    pages = run(installed, "-m", "jupyterlab.labextensions", "list", cwd=installed.parent)
    (line,) = [line for line in pages.splitlines() if "cumulus-lab" in line]
    assert "enabled" in line and "OK" in line and "cumulus-jupyter" in line, pages
    assert str(installed.parents[1]) in pages
    server = run(installed, "-m", "jupyter_server.extension.serverextension", "list", cwd=installed.parent)
    told = [COLOUR.sub("", line).split() for line in server.splitlines()]
    assert ["cumulus_server", "enabled"] in told, server
    assert [words for words in told if words[:1] == ["cumulus_server"] and words[-1] == "OK"], server


def test_the_sidebar_can_be_left_out(tmp_path: Path) -> None:
    assert not lab_files(wheel_of(ROOT, tmp_path, CUMULUS_WITHOUT_LAB="1"))


def test_an_sdist_becomes_the_same_wheel_without_node(wheel: Path, tmp_path: Path) -> None:
    make = "import hatch_build, sys; hatch_build.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", make, tmp_path, PYTHONPATH="labextension-py")
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = [folder for folder in tmp_path.iterdir() if folder.is_dir()]
    assert (source / "labextension-py" / "src" / "index.ts").is_file()
    from_sdist = wheel_of(source, tmp_path / "out", PATH=str(tmp_path))
    assert not (source / "labextension-py" / "node_modules").exists()
    assert sorted(lab_files(from_sdist)) == sorted(lab_files(wheel))
