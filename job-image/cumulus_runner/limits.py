"""What a job may see and use: its folder, its environment, memory and processors."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Dict, Mapping

#: Settings of Jupyter and of the relay, tokens among them. What else a job may not see, the executor
#: does not start the runner with.
_SECRET_PREFIXES = ("JPY_", "JUPYTER", "CUMULUS_")
_GPU_PREFIXES = ("CUDA_VISIBLE_DEVICES", "CUDA_MPS_", "NVIDIA_VISIBLE_DEVICES")
_USER = ("USER", "LOGNAME")
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


def keep_own_variables() -> None:
    """Keep of this process's environment what a job may see."""
    kept = job_environment(os.environ)
    os.environ.clear()
    os.environ.update(kept)


def enter(place: Mapping[str, Any]) -> None:
    """Go to the job's folder and take on its environment and limits.

    ``place`` has the fields ``workdir``, ``env``, ``memory_mib``, ``cpu`` and ``contained`` of an Assignment.
    Those about GPUs are ``gpu_share``'s.
    """
    os.chdir(place["workdir"])
    cores = float(place.get("cpu") or 0)
    if place.get("contained"):
        _enter_container(place, cores)
        return
    if cores:
        _limit_threads(cores)
        _limit_processors(cores)
    os.environ.update(place.get("env") or {})
    if place.get("memory_mib"):
        _limit_memory(int(place["memory_mib"]))


def add_variables(asked: Mapping[str, str], place: Mapping[str, Any]) -> None:
    """Take on what the job itself asks for, but for what says which GPUs it has and how much of them."""
    given = place.get("env") or {}
    for name, value in asked.items():
        if not (name in given and name.startswith(_GPU_PREFIXES)):
            os.environ[name] = value


def _enter_container(place: Mapping[str, Any], cores: float) -> None:
    """The container holds the limits. Nothing but what is mounted there can be written to."""
    from . import container

    cores = cores or container.processors() or 0
    if cores:
        _limit_threads(cores)
    os.environ.update(place.get("env") or {})
    for name in _USER:
        os.environ.setdefault(name, "cumulus")  # The user's number need not have a name here.
    beside = os.path.dirname(place["workdir"].rstrip("/"))
    for name, folder in (("HOME", "home"), ("TMPDIR", "")):
        _have_folder(name, os.path.join(beside, folder).rstrip("/"))
    _have_user_packages()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # Where memory ends, this is killed, and not what tells about it.


def _have_folder(name: str, otherwise: str) -> None:
    """Let an environment variable name a folder that can be written to."""
    for folder in (os.environ.get(name), otherwise):
        if folder:
            with contextlib.suppress(OSError):
                os.makedirs(folder, exist_ok=True)
                if os.access(folder, os.W_OK | os.X_OK):
                    os.environ[name] = folder
                    return


def _have_user_packages() -> None:
    """Let ``pip install`` in a cell work: what it installs goes to the home, and can be imported at once."""
    # The mark of a Python that belongs to the system's packages: there is nothing to break here.
    os.environ.setdefault("PIP_BREAK_SYSTEM_PACKAGES", "1")
    version = "python{}.{}".format(*sys.version_info)
    home = os.path.join(os.environ.get("HOME", ""), ".local")
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.join(home, "bin")])
    folder = os.path.join(home, "lib", version, "site-packages")
    if folder in sys.path:
        return
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        place = (number for number, path in enumerate(sys.path) if path.endswith("-packages"))
        sys.path.insert(next(place, len(sys.path)), folder)


def _limit_threads(cores: float) -> None:
    for name in _THREADS:
        os.environ[name] = str(max(1, int(cores)))


def _limit_processors(cores: float) -> None:
    import random

    allowed = sorted(os.sched_getaffinity(0))
    wanted = max(1, -int(-cores // 1))
    if wanted < len(allowed):
        os.sched_setaffinity(0, random.sample(allowed, wanted))


def _limit_memory(mib: int) -> None:
    """Limit what the program itself may allocate: what this process has already is not counted."""
    import resource

    limit = mib * 2**20 + _data_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0
