"""The scripts that make images: what they say where something is missing, and that they do nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.image.containers import inspect
from tests.rig import provision

SCRIPTS = Path(__file__).resolve().parents[3] / "job-image"
COMMANDS = ("sh", "cat", "cut", "dirname", "grep", "id", "sha256sum", "tail", "mktemp", "rm")


def _run(script: str, *arguments: str, path: Path, user: int | None = None) -> tuple[int, list[str]]:
    done = subprocess.run(
        [SCRIPTS / script, *arguments],
        env={"PATH": str(path)},
        user=user,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stdout
    return done.returncode, done.stderr.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A search path with what every Debian has, and nothing more."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    for name in COMMANDS:
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    return tmp_path


def _docker(path: Path, script: str) -> None:
    (path / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (path / "docker").chmod(0o755)


@pytest.mark.parametrize(("script", "arguments"), [("build", ()), ("make-base", ("bookworm", "x"))])
def test_no_docker(path: Path, script: str, arguments: tuple[str, ...]) -> None:
    assert _run(script, *arguments, path=path) == (
        1,
        [f"{script}: docker is missing. Install it: apt-get install docker.io"],
    )


@pytest.mark.parametrize(("script", "arguments"), [("build", ()), ("make-base", ("bookworm", "x"))])
def test_no_engine(path: Path, script: str, arguments: tuple[str, ...]) -> None:
    _docker(path, "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert _run(script, *arguments, path=path) == (
        1,
        [f"{script}: no Docker Engine answers: Cannot connect to the Docker daemon"],
    )


def test_a_base_needs_root(path: Path) -> None:
    _docker(path, "[ $1 = version ]")
    status, (said,) = _run("make-base", "bookworm", "x", path=path, user=None if os.getuid() else 65534)
    assert status == 1
    assert "debootstrap needs root: run this with sudo" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--python", "3.8"), "build: no image for Python 3.8: 3.11 to 3.14 are supported"),
        (("--slim", "--torch"), "build: --torch adds to the full image: leave --slim out"),
        (("--big",), "build: no such option: --big (build --help lists them)"),
    ],
)
def test_what_cannot_be_built(path: Path, arguments: tuple[str, ...], said: str) -> None:
    assert _run("build", *arguments, path=path) == (1, [said])


def test_the_second_time_nothing_is_built(job_image: str) -> None:
    before = inspect(job_image)["Id"]
    provision.build(job_image)
    assert inspect(job_image)["Id"] == before
