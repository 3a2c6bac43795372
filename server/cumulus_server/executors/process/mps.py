"""Whether NVIDIA's Multi-Process Service runs on this machine, which can hold a job to a share of a GPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Where a daemon and its clients meet where nobody says otherwise, and what is there then.
_USUAL, _CONTROL = "/tmp/nvidia-mps", "control"
#: The daemon's name as the kernel has it, cut after 15 letters.
_NAME = "nvidia-cuda-mps"


def running_pipe(environment: Mapping[str, str] | None = None, proc: Path = Path("/proc")) -> str:
    """The folder of the control daemon's pipes; empty where none runs."""
    environment = os.environ if environment is None else environment
    folder = Path(environment.get("CUDA_MPS_PIPE_DIRECTORY") or _USUAL)
    if not (folder / _CONTROL).exists():
        return ""
    # A daemon that was killed leaves its files.
    return str(folder) if any(_name(process).startswith(_NAME) for process in proc.glob("[0-9]*")) else ""


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text()
    except OSError:
        return ""  # it has ended meanwhile
