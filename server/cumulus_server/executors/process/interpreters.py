"""The Python interpreters that jobs can have, and how the runner gets into those that lack it."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..luggage import pack

log = logging.getLogger(__name__)

_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"
_OLDEST = (3, 9)


@dataclass(frozen=True)
class Interpreter:
    """One Python that can run the runner."""

    path: str
    #: Such as "3.11".
    minor: str
    #: Folder to put on PYTHONPATH; empty where the runner is installed.
    luggage: str = ""


def own_interpreter() -> Interpreter:
    """The one this relay runs in."""
    return Interpreter(sys.executable, f"{sys.version_info[0]}.{sys.version_info[1]}")


async def other_interpreters(paths: Iterable[str], luggage: Path, timeout_s: float = 20) -> list[Interpreter]:
    """The configured interpreters that answer and are new enough; the others are logged.

    ``luggage`` is the folder to pack the runner into; it is written only where it is needed.
    """
    probes = await asyncio.gather(*(_minor(path, timeout_s) for path in paths))
    found = [(path, minor) for path, minor in zip(paths, probes, strict=True) if minor]
    if found:
        await asyncio.to_thread(pack, luggage)
    return [Interpreter(path, minor, str(luggage)) for path, minor in found]


async def _minor(path: str, timeout_s: float) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            path, "-c", _PROBE, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        log.warning("the interpreter %s cannot be used: %s", path, error)
        return ""
    try:
        out, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        log.warning("the interpreter %s does not answer", path)
        return ""
    minor = out.decode("ascii", "replace").strip()
    try:
        old = tuple(map(int, minor.split("."))) < _OLDEST
    except ValueError:
        old = True
    if process.returncode != 0 or old:
        log.warning("the interpreter %s cannot be used: it is not Python 3.9 or newer", path)
        return ""
    return minor
