"""Containers of a job image, run by hand."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import LIMIT_S

#: As narrow as a job's own: nothing to write but /tmp, nobody to talk to.
NARROW = ("--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "ALL")
_RUN_S = 2 * LIMIT_S


@dataclass(frozen=True)
class Ended:
    """What became of a container."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one line of JSON that is all of stdout."""
        (line,) = self.out.splitlines()
        told: dict[str, Any] = json.loads(line)
        return told


def run(image: str, *command: str, options: tuple[str, ...] = NARROW) -> Ended:
    """Run a container to its end, and remove it."""
    done = subprocess.run(
        ["docker", "run", "--rm", *options, image, *command],
        capture_output=True,
        text=True,
        timeout=_RUN_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_code(image: str, folder: Path, *options: str) -> Ended:
    """Run a code package as an operator does by hand."""
    folder.chmod(0o755)
    return run(image, options=(*NARROW, "--volume", f"{folder}:/job:ro", *options))


def inspect(image: str) -> dict[str, Any]:
    """What the engine knows of an image."""
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)[0]
    return told
