"""What a job may see and use: its folder, its environment, memory and processors."""

from __future__ import annotations

import os
import random
import resource
from typing import Any, Dict, Mapping

#: Variables a job keeps of the runner's own. Tokens and settings of Jupyter are never among them.
_KEPT = frozenset(
    {
        "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LANGUAGE",
        "LD_LIBRARY_PATH", "LOGNAME", "NO_PROXY", "PATH", "PYTHONHASHSEED", "REQUESTS_CA_BUNDLE", "SHELL",
        "SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TMP", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV", "http_proxy",
        "https_proxy", "no_proxy",
    }
)  # fmt: skip
_KEPT_PREFIXES = ("LC_", "NVIDIA_")
#: What the runner itself keeps besides, to find its modules and to install requirements.
_RUNNER_PREFIXES = ("PIP_", "UV_", "PYTHON")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def job_environment(environment: Mapping[str, str]) -> Dict[str, str]:
    """What a job keeps of an environment."""
    return {k: v for k, v in environment.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}


def runner_environment(environment: Mapping[str, str]) -> Dict[str, str]:
    """What the runner itself keeps of the environment it is started with."""
    kept = job_environment(environment)
    kept.update({k: v for k, v in environment.items() if k.startswith(_RUNNER_PREFIXES)})
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
