"""Python environments for requirements: built once, shared by all jobs that ask for the same."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
from collections import deque
from typing import Any, Callable, Deque, Dict, Mapping, Sequence

from .installer import Installer, NoInstaller
from .loop import Future, Loop

_READY = ".cumulus-ready"
_PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_LOCK_EVERY_S = 0.05
_LAST_LINES = 12
#: What installers write where they could not reach an index, and what to do then.
_UNTRUSTED = re.compile("certificate", re.IGNORECASE)
_UNREACHED = re.compile("dns error|name resolution|timed out|unreachable|connection refused", re.IGNORECASE)
_TRUST_NEXT = (
    "The package index's certificate is not trusted here. Behind a company's proxy, the relay's operator"
    " names its CA bundle in the setting container_ca_bundle."
)
_REACH_NEXT = (
    "The package index could not be reached from here. The relay's operator can give a proxy or an index of"
    " your own (HTTPS_PROXY, PIP_INDEX_URL) in the setting container_env."
)

Say = Callable[[Mapping[str, Any]], None]


class RequirementsFailed(Exception):
    """The installer did not succeed. ``next`` tells what to do."""

    def __init__(self, message: str, next: str = "Check the names and versions of the requirements.") -> None:
        super().__init__(message)
        self.next = next


class Places:
    """Where environments are: ``shared`` between jobs (empty for nowhere), or in ``private``.

    ``env`` is the installer's for shared ones; ``own_env`` is added for private ones.
    """

    def __init__(
        self, shared: str, private: str = "", env: Mapping[str, str] = {}, own_env: Mapping[str, str] = {}
    ) -> None:
        self.shared, self.private = shared, private
        self.env, self.own_env = env, own_env


class Environments:
    """Installs requirements without blocking the loop.

    ``watched`` maps the pids of processes to what wants to know their end. With ``wheels_only``, nothing is
    installed that would have to be built.
    """

    def __init__(
        self, loop: Loop, watched: Dict[int, Callable[[int], None]], wheels_only: bool = False
    ) -> None:
        self._loop = loop
        self._watched = watched
        self._wheels_only = wheels_only

    async def provide(
        self, requirements: Sequence[str], places: Places, say: Say, given_up: Future[None]
    ) -> str:
        """The path that has the requirements; empty where this interpreter has them already.

        Progress goes to ``say``. Once ``given_up`` is done, the installer is ended. Raises
        ``RequirementsFailed``.
        """
        if satisfied(requirements):
            return ""
        env = {**os.environ, **places.env}
        folder = places.shared
        if not folder or not _is_writable(folder):
            there = os.path.join(folder, environment_key(requirements))
            if folder and _is_ready(there):
                return there
            folder = places.private
            env.update(places.own_env)
        if not folder:
            raise RequirementsFailed("This executor has no place to install requirements")
        environment = _Environment(folder, requirements)
        if environment.is_ready():
            return environment.path
        waited = False
        try:
            while not given_up.done and not environment.lock():
                if not waited:
                    say(_progress("another job is installing the same requirements", 0, False))
                waited = True
                await self._loop.sleep(_LOCK_EVERY_S)
            if not given_up.done and not environment.is_ready():
                await self._build(environment, env, say, given_up)
        finally:
            environment.unlock()
        return environment.path

    async def _build(
        self, environment: _Environment, env: Mapping[str, str], say: Say, given_up: Future[None]
    ) -> None:
        wanted = ", ".join(environment.requirements)
        last: Deque[str] = deque(maxlen=_LAST_LINES)
        count = 0

        def line_came(line: str) -> None:
            nonlocal count
            count += 1
            last.append(line)
            say(_progress(line[:120], count, False))

        say(_progress(f"installing {wanted}", 0, False))
        environment.discard()
        try:
            installer = Installer(
                self._loop,
                self._watched,
                environment.requirements,
                environment.building,
                line_came,
                env,
                self._wheels_only,
            )
        except NoInstaller as problem:
            raise RequirementsFailed(str(problem), problem.next) from problem
        given_up.then(installer.stop)
        status = await installer.ended
        if status or given_up.done:
            environment.discard()
        if given_up.done:
            return
        if status:
            told = "\n".join(last)
            failed = f"The requirements could not be installed ({wanted}):\n{told}"
            raise RequirementsFailed(failed, what_to_do(told))
        environment.finish()
        say(_progress("requirements installed", count, True))


class _Environment:
    """The folder of one set of requirements; it gets its name when it is complete."""

    def __init__(self, folder: str, requirements: Sequence[str]) -> None:
        os.makedirs(folder, exist_ok=True)
        self.requirements = requirements
        self.path = os.path.join(folder, environment_key(requirements))
        self.building = self.path + ".building"
        self._lock = -1

    def is_ready(self) -> bool:
        """True: complete."""
        return _is_ready(self.path)

    def lock(self) -> bool:
        """Be the one who builds it, unless another process is."""
        if self._lock < 0:
            self._lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Let others."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def discard(self) -> None:
        """Remove what an unfinished build has left."""
        shutil.rmtree(self.building, ignore_errors=True)

    def finish(self) -> None:
        """Give a complete build its name."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.makedirs(self.building, exist_ok=True)
        with open(os.path.join(self.building, _READY), "w", encoding="utf-8") as ready:
            ready.write("\n".join(self.requirements))
        os.replace(self.building, self.path)


def environment_key(requirements: Sequence[str]) -> str:
    """Name of the environment: what was asked for, and for which interpreter."""
    python = [platform.python_implementation(), platform.python_version(), platform.machine(), sys.prefix]
    text = "\n".join([*python, _c_library(), *sorted({" ".join(line.split()) for line in requirements})])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _c_library() -> str:
    """Such as "glibc 2.36": wheels are made for one and newer ones."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def _is_ready(path: str) -> bool:
    return os.path.exists(os.path.join(path, _READY))


def _is_writable(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def satisfied(requirements: Sequence[str]) -> bool:
    """True: this interpreter has all of them, and none asks for a certain version."""
    import importlib.metadata

    for line in requirements:
        if not _PLAIN_NAME.match(line.strip()):
            return False
        try:
            importlib.metadata.version(line.strip())
        except importlib.metadata.PackageNotFoundError:
            return False
    return True


def what_to_do(told: str) -> str:
    """The next step for a user whose installer has ended with these lines."""
    if _UNTRUSTED.search(told):
        return _TRUST_NEXT
    return _REACH_NEXT if _UNREACHED.search(told) else "Check the names and versions of the requirements."


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
