"""What a job may see and use: its folder, its environment, memory and processors."""

from __future__ import annotations

import os
import random
import resource
from typing import Any, Dict, Mapping

#: Settings of Jupyter and of the relay, tokens among them. What else a job may not see, the executor
#: does not start the runner with.
_SECRET_PREFIXES = ("JPY_", "JUPYTER", "CUMULUS_")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def job_environment(environment: Mapping[str, str]) -> Dict[str, str]:
    """What a job keeps of the runner's environment."""
    kept = {k: v for k, v in environment.items() if not k.startswith(_SECRET_PREFIXES)}
    # The runner may have been put on the path for its own sake.
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = [path for path in kept.pop("PYTHONPATH", "").split(os.pathsep) if path and path != own]
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(paths)
    return kept


def enter(place: Mapping[str, Any]) -> None:
    """Go to the job's folder and take on its environment and limits.

    ``place`` has the fields ``workdir``, ``env``, ``memory_mib``, ``cpu`` of an Assignment.
    """
    os.chdir(place["workdir"])
    if place.get("cpu"):
        _limit_processors(float(place["cpu"]))
    os.environ.update(place.get("env") or {})
    if place.get("memory_mib"):
        _limit_memory(int(place["memory_mib"]))


def _limit_processors(cores: float) -> None:
    whole = max(1, int(cores))
    for name in _THREADS:
        os.environ[name] = str(whole)
    allowed = sorted(os.sched_getaffinity(0))
    wanted = max(1, -int(-cores // 1))
    if wanted < len(allowed):
        os.sched_setaffinity(0, random.sample(allowed, wanted))


def _limit_memory(mib: int) -> None:
    """Limit what the program itself may allocate: what this process has already is not counted."""
    limit = mib * 2**20 + _data_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0
