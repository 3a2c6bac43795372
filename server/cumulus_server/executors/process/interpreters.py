"""The Python interpreters that jobs can have, and how the runner gets into those that lack it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"
_OLDEST = (3, 9)
#: What travels into interpreters that have nothing of ours: module, and the parts of it (all if empty).
_LUGGAGE = {
    "cumulus_runner": (),
    "cumulus_jupyter": ("__init__.py", "progress_bar.py", "protocol", "values"),
    "cloudpickle": (),
}


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


def pack(folder: Path) -> None:
    """Put the runner and what it imports into ``folder``, replacing what was there. Blocks."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix="luggage-"))
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for module, parts in _LUGGAGE.items():
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(f"the package {module} is not installed beside the relay")
        source = Path(next(iter(spec.submodule_search_locations)))
        for part in parts or (".",):
            origin, target = source / part, fresh / module / part
            if origin.is_dir():
                shutil.copytree(origin, target, ignore=ignore, dirs_exist_ok=True)
            elif origin.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, target)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
