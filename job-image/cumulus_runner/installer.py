"""Runs the installer of requirements as a process of its own, its output line by line."""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from typing import Callable, Dict, List, Mapping, Sequence

from .loop import Future, Loop


class NoInstaller(Exception):
    """This Python has nothing to install with."""

    next = "Use an image that has pip or uv, or one that has the requirements already."


class Installer:
    """One run of uv, or of pip where uv is not there, with the environment ``env``.

    ``watched`` maps the pids of processes to what wants to know their end. With ``wheels_only``, nothing is
    built. Raises ``NoInstaller``.
    """

    def __init__(
        self,
        loop: Loop,
        watched: Dict[int, Callable[[int], None]],
        requirements: Sequence[str],
        target: str,
        line_came: Callable[[str], None],
        env: Mapping[str, str],
        wheels_only: bool = False,
    ) -> None:
        self._loop = loop
        self._line_came = line_came
        self._rest = b""
        #: The wait status, once it has ended.
        self.ended: Future[int] = Future()
        self._process = subprocess.Popen(
            [*_command(target), *(["--only-binary", ":all:"] if wheels_only else []), *requirements],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._fd = self._process.stdout.fileno()
        os.set_blocking(self._fd, False)
        watched[self._process.pid] = self._reaped
        loop.watch(self._fd, self._read)

    def _reaped(self, status: int) -> None:
        self._process.returncode = status
        self._read()
        self._loop.forget(self._fd)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.ended.set(status)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self._loop.forget(self._fd)
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._line_came(text)

    def stop(self) -> None:
        """End it, if it runs."""
        if not self.ended.done:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _command(target: str) -> List[str]:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    uv = beside if os.access(beside, os.X_OK) else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--no-progress", "--python", sys.executable, "--target", target]
    pip = [*_pip(), "install", "--no-input", "--disable-pip-version-check"]
    return [*pip, "--progress-bar", "off", "--target", target]


def _pip() -> List[str]:
    """What runs pip: installed, or from the wheel that Python keeps for new environments."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for folder in (*_kept_wheels(), "/usr/share/python-wheels"):
        for wheel in sorted(glob.glob(os.path.join(glob.escape(folder), "pip-*.whl"))):
            return [sys.executable, os.path.join(wheel, "pip")]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    raise NoInstaller(f"Requirements can't be installed here: Python {python} at {sys.executable} has no pip")


def _kept_wheels() -> List[str]:
    spec = importlib.util.find_spec("ensurepip")
    found = spec.submodule_search_locations if spec is not None else None
    return [os.path.join(folder, "_bundled") for folder in found or ()]
