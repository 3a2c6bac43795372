"""Makes a folder of code ready to be run by hand: unpacked, its requirements installed, importable."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from typing import Iterator, List

from .environment import satisfied

_PIP_OPTIONS = (
    "--quiet",
    "--progress-bar=off",
    "--no-input",
    "--no-cache-dir",
    "--disable-pip-version-check",
)


class Unusable(Exception):
    """The code or its result can't be used; the words say why and what to do."""


@contextlib.contextmanager
def ready(folder: str) -> Iterator[str]:
    """The folder that ``main`` can be imported from, as the current one. Raises ``Unusable``.

    The code is ``main.py`` and what is beside it, or the same in ``code.zip``. Nothing is written into
    ``folder``.
    """
    sys.dont_write_bytecode = True
    folder = os.path.abspath(folder)
    with contextlib.ExitStack() as leaving:
        if not os.path.exists(os.path.join(folder, "main.py")):
            folder = _unpacked(folder, leaving)
        libraries = _libraries(os.path.join(folder, "requirements.txt"), leaving)
        sys.path[:0] = [folder, *libraries]
        if libraries:
            inherited = os.environ.get("PYTHONPATH")
            os.environ["PYTHONPATH"] = os.pathsep.join([*libraries, inherited] if inherited else libraries)
        os.chdir(folder)
        leaving.callback(os.chdir, "/")
        yield folder


def _scratch(leaving: contextlib.ExitStack) -> str:
    try:
        folder = tempfile.mkdtemp(prefix="cumulus-")
    except OSError as error:
        raise Unusable(
            f"There is no place for temporary files: {error}. Give the container one: --tmpfs /tmp:exec"
        ) from None
    leaving.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _unpacked(folder: str, leaving: contextlib.ExitStack) -> str:
    archive = os.path.join(folder, "code.zip")
    if not os.path.exists(archive):
        raise Unusable(
            f"{folder} has no main.py and no code.zip: mount the folder of the code there, readable to all"
        )
    target = _scratch(leaving)
    try:
        with zipfile.ZipFile(archive) as package:
            package.extractall(target)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise Unusable(f"{archive} can't be unpacked: {error}") from None
    if not os.path.exists(os.path.join(target, "main.py")):
        raise Unusable(f"{archive} has no main.py: pack the files themselves, not the folder they are in")
    return target


def _libraries(requirements: str, leaving: contextlib.ExitStack) -> List[str]:
    """Folders to import the requirements from; none where this interpreter has them already."""
    try:
        with open(requirements, encoding="utf-8") as file:
            lines = [line.split(" #")[0].strip() for line in file]
    except FileNotFoundError:
        return []
    if satisfied([line for line in lines if line and not line.startswith("#")]):
        return []
    target = _scratch(leaving)
    pip = [sys.executable, "-m", "pip", "install", *_PIP_OPTIONS, "--target", target]
    print("cumulus: installing requirements.txt", file=sys.stderr)
    done = subprocess.run(
        [*pip, "--requirement", requirements],
        cwd=os.path.dirname(requirements),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
    )
    if done.returncode:
        raise Unusable(
            "requirements.txt could not be installed; what pip said is above."
            " Check the names and versions, and that the container has a network"
        )
    compiled = glob.iglob(os.path.join(target, "**", "*.so*"), recursive=True)
    if os.statvfs(target).f_flag & os.ST_NOEXEC and any(compiled):
        raise Unusable(
            f"The requirements have compiled parts, which can't be loaded from {os.path.dirname(target)}:"
            " it is mounted noexec. Mount it with exec: --tmpfs /tmp:exec"
        )
    return [target]
