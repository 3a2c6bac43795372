"""A user's home that nothing has touched yet, and the relay that gets started in it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Would lead to the user's own Jupyter server, relay or settings.
FOREIGN = ("CUMULUS_", "JPY_", "JUPYTER", "IPYTHONDIR", "XDG_")
_STOP_S = 60.0


@dataclass(frozen=True)
class Home:
    """One empty home, for processes started with ``environment()``."""

    path: Path

    @property
    def state_dir(self) -> Path:
        """Where a relay of this user keeps its state."""
        return self.path / ".local" / "share" / "jupyter" / "cumulus"

    def environment(self, **more: str) -> dict[str, str]:
        """This process's environment with this home, and no trace of another relay."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        return {**kept, "HOME": str(self.path), **more}

    def relay(self) -> dict[str, Any] | None:
        """What the live relay wrote about itself; ``None`` before one has started."""
        try:
            told: dict[str, Any] = json.loads((self.state_dir / "relay.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return told

    def stop_relay(self) -> None:
        """End this home's relay, if one was started, and wait until it is gone."""
        told = self.relay()
        if told is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(told["pid"], signal.SIGTERM)
        if not wait_for(lambda: not alive(told["pid"]), _STOP_S):
            with contextlib.suppress(ProcessLookupError):
                os.kill(told["pid"], signal.SIGKILL)


@functools.cache
def _fonts() -> Path:
    """Matplotlib's list of this machine's fonts, made once.

    Each empty home would have it made anew, and where that takes more than five seconds Matplotlib says
    so among the output of whatever draws there first.
    """
    folder = Path(tempfile.mkdtemp(prefix="cumulus-fonts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env={**os.environ, "MPLCONFIGDIR": str(folder)}, capture_output=True, check=True)
    return folder


@contextlib.contextmanager
def fresh_home() -> Iterator[Home]:
    """An empty home but for a list of fonts; its relay is stopped and the folder removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="cumulus-home-"))
    shutil.copytree(_fonts(), path / ".cache" / "matplotlib")
    home = Home(path)
    try:
        yield home
    finally:
        home.stop_relay()
        shutil.rmtree(path, ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for(true: Any, timeout_s: float, every_s: float = 0.02) -> bool:
    """Whether ``true()`` came to hold in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
