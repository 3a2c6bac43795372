"""What is known of an engine: whether it is there, and what it offers to jobs."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any

from ..base import Device, ExecutorUnavailable, Worker
from ..containers import images
from ..containers.engine import Engine
from ..containers.failures import EngineGone, EngineRefused
from ..containers.settings import ContainerConfig, default_slots
from . import devices

#: The one worker of this executor.
WORKER = "docker"
_CAPABILITIES = frozenset({"docker", "container", "images"})


class View:
    """As of the last look; what it was before stays known while the engine is away."""

    def __init__(self, engine: Engine, config: ContainerConfig) -> None:
        self._engine, self._config = engine, config
        self.simulated = config.simulated_gpus
        #: Set after the first look, whatever came of it.
        self.settled = asyncio.Event()
        #: Job images by Python minor version.
        self.images: dict[str, str] = {}
        #: Every image there, by each of its names.
        self.names: set[str] = set()
        self._info: Mapping[str, Any] = {}
        self._gpus: list[Device] = []
        self._error: ExecutorUnavailable | None = None

    async def connected(self) -> None:
        """Look at all of it. Raises ``ExecutorUnavailable`` where the engine goes away again."""
        self._info = await self._engine.info()
        await self.look_at_images()
        if not self._gpus and self._engine.host.startswith("unix://"):
            self._gpus = await asyncio.to_thread(devices.nvidia_devices)

    def back(self) -> None:
        """The engine can be used."""
        self._error = None
        self.settled.set()

    def away(self, error: ExecutorUnavailable) -> bool:
        """It can't be used, for this reason; whether that is news."""
        news = self._error is None or self._error.message != error.message
        self._error = error
        self.settled.set()
        return news

    async def look_at_images(self) -> bool:
        """Look at the images alone; whether the jobs' have changed."""
        before = self.images
        found: list[dict[str, Any]] = await self._engine.call(lambda client: client.api.images())
        self.names = images.names_of(found)
        self.images = images.job_images(found, self._config.images)
        return self.images != before

    async def seen(self) -> None:
        """Wait for the first look. Raises ``ExecutorUnavailable`` where the engine has never been there."""
        await self.settled.wait()
        if not self._info:
            raise self._error or EngineGone(f"The Docker Engine at {self._engine.host} has gone")

    @property
    def trouble(self) -> str:
        """Why the engine can't be used now."""
        return "" if self._error is None else f"{self._error.message}. {self._error.next}".strip()

    @property
    def memory_mib(self) -> int:
        """The machine's memory."""
        return int(self._info.get("MemTotal", 0)) // 2**20

    @property
    def cores(self) -> float:
        """The machine's cores."""
        return float(self._info.get("NCPU", 1))

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The real GPUs that containers can have."""
        return tuple(self._gpus) if self.gpus_by else ()

    @property
    def gpus_by(self) -> str:
        """How they are given; empty where they can't be."""
        return devices.given_by(self._info)

    @property
    def far_files(self) -> bool:
        """Whether the engine's machine is a virtual one, where a removed file is gone at once."""
        return "Docker Desktop" in str(self._info.get("OperatingSystem", ""))

    async def gateway(self) -> str:
        """The machine's address in the default bridge; empty where there is no such bridge."""
        try:
            bridge = await self._engine.call(lambda client: client.api.inspect_network("bridge"))
        except EngineRefused:
            return ""
        for part in (bridge.get("IPAM") or {}).get("Config") or ():
            network = ipaddress.ip_network(str(part.get("Subnet") or "::/64"), strict=False)
            if network.version == 4:
                # Not told before the engine has been restarted with it; it takes the first address then.
                return str(part.get("Gateway") or network[1])
        return ""

    def workers(self, executor: str) -> list[Worker]:
        """The engine as a worker, once it has been seen."""
        if not self._info:
            return []
        found = devices.with_mps(self.gpus or devices.simulated_devices(self.simulated))
        message = self.trouble
        if not message and not self.images:
            message = f"There is no job image. {images.HOW_TO_GET_ONE}"
        if not message and self._gpus and not self.gpus_by:
            message = devices.NO_WAY
        return [
            Worker(
                id=WORKER,
                executor=executor,
                slots=self._config.slots or default_slots(self.cores),
                cpu=self.cores,
                memory_mib=self.memory_mib,
                devices=found,
                pythons=tuple(self.images),
                capabilities=_CAPABILITIES | ({"gpu"} if found else set()),
                ready=self._error is None,
                message=message,
            )
        ]
