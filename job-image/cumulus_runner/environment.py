"""Python environments for requirements: built once, shared by all jobs that ask for the same."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Sequence

from .loop import Future, Loop

_READY = ".cumulus-ready"
_PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_LOCK_EVERY_S = 0.05
_LAST_LINES = 12


class RequirementsFailed(Exception):
    """The installer did not succeed. ``next`` tells what to do."""

    next = "Check the names and versions of the requirements."


class Environments:
    """Installs requirements without blocking the loop.

    ``watched`` maps the pids of processes to what wants to know their end.
    """

    def __init__(self, loop: Loop, watched: Dict[int, Callable[[int], None]]) -> None:
        self._loop = loop
        self._watched = watched

    async def provide(
        self,
        requirements: Sequence[str],
        folder: str,
        say: Callable[[Mapping[str, Any]], None],
        given_up: Future[None],
    ) -> str:
        """The path that has the requirements; empty where this interpreter has them already.

        Progress goes to ``say``. Once ``given_up`` is done, the installer is ended. Raises
        ``RequirementsFailed``.
        """
        if satisfied(requirements):
            return ""
        if not folder:
            raise RequirementsFailed(
                "This executor has no place for requirements: " + ", ".join(requirements)
            )
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, environment_key(requirements))
        if os.path.exists(os.path.join(path, _READY)):
            return path
        with open(path + ".lock", "w", encoding="ascii") as lock:
            waited = False
            while not given_up.done:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waited:
                        say(_progress("another job is installing the same requirements", 0, False))
                    waited = True
                    await self._loop.sleep(_LOCK_EVERY_S)
            if not given_up.done and not os.path.exists(os.path.join(path, _READY)):
                await self._build(requirements, path, say, given_up)
        return path

    async def _build(
        self,
        requirements: Sequence[str],
        path: str,
        say: Callable[[Mapping[str, Any]], None],
        given_up: Future[None],
    ) -> None:
        building = path + ".building"
        shutil.rmtree(building, ignore_errors=True)
        say(_progress("installing " + ", ".join(requirements), 0, False))
        last: Deque[str] = deque(maxlen=_LAST_LINES)
        count = 0

        def line_came(line: str) -> None:
            nonlocal count
            count += 1
            last.append(line)
            say(_progress(line[:120], count, False))

        status = await self._run([*_installer(building), *requirements], line_came, given_up)
        if given_up.done:
            shutil.rmtree(building, ignore_errors=True)
            return
        if status:
            shutil.rmtree(building, ignore_errors=True)
            told = "\n".join(last)
            raise RequirementsFailed(
                f"The requirements could not be installed ({', '.join(requirements)}):\n{told}"
            )
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(building, exist_ok=True)
        os.replace(building, path)
        with open(os.path.join(path, _READY), "w", encoding="utf-8") as ready:
            ready.write("\n".join(requirements))
        say(_progress("requirements installed", count, True))

    async def _run(self, command: List[str], line_came: Callable[[str], None], given_up: Future[None]) -> int:
        """Run a command, its output line by line. Returns its exit status."""
        ended: Future[int] = Future()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        fd = process.stdout.fileno()
        os.set_blocking(fd, False)
        rest = b""

        def reaped(status: int) -> None:
            process.returncode = status
            read()
            ended.set(status)

        def read() -> None:
            nonlocal rest
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            if not data:
                self._loop.forget(fd)
            *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "replace").strip()
                if text:
                    line_came(text)

        def stop() -> None:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)

        self._watched[process.pid] = reaped
        self._loop.watch(fd, read)
        given_up.then(stop)
        try:
            return await ended
        finally:
            self._loop.forget(fd)
            process.stdout.close()


def environment_key(requirements: Sequence[str]) -> str:
    """Name of the environment: what was asked for, and for which interpreter."""
    interpreter = [
        platform.python_implementation(),
        platform.python_version(),
        platform.machine(),
        sys.prefix,
    ]
    text = "\n".join([*interpreter, *sorted({" ".join(line.split()) for line in requirements})])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def satisfied(requirements: Sequence[str]) -> bool:
    """True: this interpreter has all of them, and none asks for a certain version."""
    for line in requirements:
        if not _PLAIN_NAME.match(line.strip()):
            return False
        try:
            importlib.metadata.version(line.strip())
        except importlib.metadata.PackageNotFoundError:
            return False
    return True


def _installer(target: str) -> List[str]:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    uv = beside if os.access(beside, os.X_OK) else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--no-progress", "--python", sys.executable, "--target", target]
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    return [*pip, "--progress-bar", "off", "--target", target]


def _progress(label: str, done: int, finished: bool) -> Dict[str, Any]:
    return {
        "type": "progress",
        "id": "requirements",
        "label": label,
        "done": done,
        "total": None,
        "unit": "",
        "finished": finished,
    }
