"""Images that jobs cannot run in, made on the spot."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.rig.docker import docker

#: Stands in the place of ``python3`` and says that it is another version.
_OLD_PYTHON = """#!/bin/sh
exec {python} -c '
import collections, runpy, sys
version = collections.namedtuple("version_info", "major minor micro releaselevel serial")
sys.version_info = version(3, 6, 8, "final", 0)
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
' "$@"
"""
_ON_TOP = """FROM {image}
USER root
COPY python3 /usr/local/bin/python3
"""


@contextlib.contextmanager
def _named() -> Iterator[str]:
    name = f"cumulus-test-{uuid.uuid4().hex[:8]}:latest"
    try:
        yield name
    finally:
        docker("image", "rm", "--force", name)


@contextlib.contextmanager
def without_python() -> Iterator[str]:
    """An image with one file in it."""
    with _named() as name, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "readme").write_text("There is nothing to run here.\n")
        tar = subprocess.run(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE, check=True)
        subprocess.run(
            ["docker", "import", "-", name], input=tar.stdout, stdout=subprocess.DEVNULL, check=True
        )
        yield name


@contextlib.contextmanager
def with_old_python(image: str) -> Iterator[str]:
    """An image whose ``python3`` takes itself for Python 3.6."""
    python = docker(
        "run", "--rm", "--entrypoint", "python3", image, "-c", "import sys; print(sys.executable)"
    )
    real = docker("run", "--rm", "--entrypoint", "readlink", image, "-f", python)
    with _named() as name, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "python3"
        script.write_text(_OLD_PYTHON.format(python=real))
        script.chmod(0o755)
        (Path(folder) / "Dockerfile").write_text(_ON_TOP.format(image=image))
        docker("build", "--quiet", "--tag", name, folder, timeout_s=600)
        yield name
