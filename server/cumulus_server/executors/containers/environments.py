"""Dependency environments that jobs share: a volume that builders write and jobs only read.

A *builder* is a container with the hardening of a job. It installs wheels only, so none of what it
installs runs while the volume can be written. Where a builder fails, the job installs for itself, and
tells its user what is wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

from cumulus_jupyter.protocol.channel import EnvironmentOrder

from ...supervisor import Supervisor
from ..base import ExecutorUnavailable, Tell
from . import plan
from .plan import ContainerPlan
from .settings import ContainerConfig

log = logging.getLogger(__name__)

#: The role in the labels of builders and of the volume.
ROLE = "environment"
#: The label with a builder's name.
BUILDER = "io.cumulus.builder"
#: Limits of a builder.
_MEMORY_MIB, _CPU = 2048, 1.0
#: Seconds until a builder that failed is tried again.
_AGAIN_S = 600.0
#: The same of one that was lost.
_LOST_AGAIN_S = 1.0


def volume_name(relay_id: str) -> str:
    """The volume with this relay's environments."""
    return f"cumulus-environments-{relay_id[:8]}"


def key_of(image: str, requirements: Sequence[str]) -> str:
    """Names one set of requirements in one image."""
    return hashlib.sha256(json.dumps([image, sorted(requirements)]).encode()).hexdigest()[:16]


def builder_plan(
    image: str, requirements: Sequence[str], config: ContainerConfig, place: str = ""
) -> ContainerPlan:
    """The container that makes an environment. ``place`` tells it from those on other workers."""
    name = f"cumulus-environment-{config.relay_id[:8]}-{key_of(image, requirements)}{place and '-' + place}"
    order = EnvironmentOrder(list(requirements), plan.ENVIRONMENTS, plan.job_environment(config))
    return ContainerPlan(
        name=name,
        image=image,
        command=(*plan.COMMAND[:2], "--build-environment", plan.ASSIGNMENT),
        labels={plan.RELAY: config.relay_id, plan.ROLE: ROLE, BUILDER: name},
        user=config.job_user,
        environment=plan.environment(()),
        memory_bytes=_MEMORY_MIB * 2**20,
        nano_cpus=int(_CPU * 1e9),
        pids=config.pids,
        reserved_memory_bytes=0,
        reserved_nano_cpus=0,
        shm_bytes=0,
        grace_s=config.grace_s,
        gpus=(),
        assignment=json.dumps(asdict(order)).encode(),
        builder=True,
    )


class Environments:
    """What is built on one worker: each environment once, however many jobs wait for it."""

    def __init__(
        self,
        config: ContainerConfig,
        supervisor: Supervisor,
        build: Callable[[ContainerPlan], Awaitable[bool]],
        place: str = "",
    ) -> None:
        """``build`` runs a builder to its end, removes it, and tells whether it has succeeded; it raises
        ``ExecutorUnavailable`` where that says nothing of the next one. ``place`` names the worker."""
        self._config, self._supervisor, self._build, self._place = config, supervisor, build, place
        self._ready: set[str] = set()
        #: Until when they are not tried again.
        self._failed: dict[str, float] = {}
        self._building: dict[str, asyncio.Event] = {}

    async def bring(self, image: str, requirements: Sequence[str], tell: Tell) -> bool:
        """Have the environment built, if need be; whether it is there now."""
        key = key_of(image, requirements)
        if key in self._ready:
            return True
        if self._failed.get(key, 0.0) > time.monotonic():
            return False
        tell(f"installing {', '.join(requirements)}")
        if key not in self._building:
            over = self._building[key] = asyncio.Event()
            wanted = builder_plan(image, requirements, self._config, self._place)
            self._supervisor.start(wanted.name, lambda: self._run(key, wanted, over))
        await self._building[key].wait()
        return key in self._ready

    def has(self, image: str, requirements: Sequence[str]) -> bool:
        """Whether it has been built since this relay started."""
        return bool(requirements) and key_of(image, requirements) in self._ready

    def forget(self) -> None:
        """The volume may be another one by now."""
        self._ready.clear()

    async def _run(self, key: str, wanted: ContainerPlan, over: asyncio.Event) -> None:
        built, again_s = False, _AGAIN_S
        try:
            built = await self._build(wanted)
        except ExecutorUnavailable as error:
            again_s = _LOST_AGAIN_S
            log.info("the environment %s was not built: %s", key, error)
        except Exception as error:
            log.warning("the environment %s could not be built: %s", key, error)
        finally:
            if built:
                self._ready.add(key)
            else:
                self._failed[key] = time.monotonic() + again_s
            self._building.pop(key, None)
            over.set()
