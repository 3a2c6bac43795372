"""What can be set about containers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: User and group of jobs where the relay is root, which jobs never are.
PLAIN_USER = "1000:1000"


@dataclass(frozen=True)
class ContainerConfig:
    """The settings of one executor of containers."""

    #: Whose containers these are; in the label of everything made.
    relay_id: str
    #: Folder for what containers are given as files; private to the relay.
    folder: Path
    #: Address of the engine; empty for DOCKER_HOST, else the usual socket.
    host: str = ""
    #: Jobs at once on one worker; 0 for two per core, at least four.
    slots: int = 0
    #: Image per Python minor version; empty for those the engine has with the label of a job image.
    images: Mapping[str, str] = field(default_factory=dict)
    #: Memory of a job that asks for none, in MiB; 0 for the worker's whole.
    memory_mib: int = 0
    #: Processes and threads of one job.
    pids: int = 4096
    #: "UID:GID" of jobs; empty for the relay's own, or for ``PLAIN_USER`` where that is root.
    user: str = ""
    #: Size of /dev/shm in MiB, which data loaders of several processes need; 0 for the engine's 64.
    shm_mib: int = 1024
    #: File with certificates (PEM) that jobs trust, as installers need behind a proxy; empty for none.
    ca_bundle: str = ""
    #: Environment of jobs, such as PIP_INDEX_URL.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Seconds between KeyboardInterrupt and the end of a cancelled job's code.
    grace_s: float = 5.0
    #: GPUs declared for workers without one.
    simulated_gpus: int = 0

    @property
    def job_user(self) -> tuple[int, int]:
        """User and group id that jobs run as."""
        if self.user:
            return parse_user(self.user)
        if os.getuid() == 0:
            return parse_user(PLAIN_USER)
        return os.getuid(), os.getgid()


def parse_user(user: str) -> tuple[int, int]:
    """The ids of "UID:GID" or "UID". Raises ``ValueError``, also for root."""
    uid, _, gid = user.partition(":")
    ids = int(uid), int(gid or uid)
    if min(ids) <= 0:
        raise ValueError(f"not the ids of a plain user: {user}")
    return ids


def default_slots(cores: float) -> int:
    """Jobs at once on a worker with this many cores, where nothing is set."""
    return max(4, 2 * int(cores))
