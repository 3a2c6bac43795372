"""Runs the installer of requirements as a process of its own, its output line by line."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from typing import Callable, Dict, List, Sequence

from .loop import Future, Loop


class Installer:
    """One run of uv, or of pip where uv is not there.

    ``watched`` maps the pids of processes to what wants to know their end.
    """

    def __init__(
        self,
        loop: Loop,
        watched: Dict[int, Callable[[int], None]],
        requirements: Sequence[str],
        target: str,
        line_came: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._line_came = line_came
        self._rest = b""
        #: The wait status, once it has ended.
        self.ended: Future[int] = Future()
        self._process = subprocess.Popen(
            [*_command(target), *requirements],
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
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    return [*pip, "--progress-bar", "off", "--target", target]
