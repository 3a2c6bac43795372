"""Whether NVIDIA's Multi-Process Service runs on this machine, which can hold a job to a share of a GPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Where a daemon and its clients meet where nobody says otherwise.
_USUAL = "/tmp/nvidia-mps"
_PID_FILE = "nvidia-cuda-mps-control.pid"
#: The daemon's name as the kernel has it, cut after 15 letters.
_NAME = "nvidia-cuda-mps"


def running_pipe(environment: Mapping[str, str] | None = None, proc: Path = Path("/proc")) -> str:
    """The folder of the control daemon's pipes; empty where none runs."""
    environment = os.environ if environment is None else environment
    folder = Path(environment.get("CUDA_MPS_PIPE_DIRECTORY") or _USUAL)
    try:
        pid = int((folder / _PID_FILE).read_text())
        name = (proc / str(pid) / "comm").read_text()
    except (OSError, ValueError):
        return ""
    # A daemon that was killed leaves its files, and its number may be another process's by now.
    return str(folder) if name.startswith(_NAME) else ""
