"""Whether NVIDIA's Multi-Process Service runs on this host, and where programs reach it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Where it is reached if nothing else was set for it.
_PIPE = "/tmp/nvidia-mps"
#: As the kernel shortens it.
_PROCESS = "nvidia-cuda-mps"


def pipe(environ: Mapping[str, str] = os.environ, *, processes: Path = Path("/proc")) -> str:
    """The folder of its pipes, "" where it does not run."""
    folder = environ.get("CUDA_MPS_PIPE_DIRECTORY") or _PIPE
    if not Path(folder, "control").exists():
        return ""
    return folder if any(_is_mps(process) for process in processes.glob("[0-9]*")) else ""


def _is_mps(process: Path) -> bool:
    try:
        return (process / "comm").read_text().startswith(_PROCESS)
    except OSError:
        return False
