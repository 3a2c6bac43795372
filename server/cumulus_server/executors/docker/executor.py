"""The executor for the containers of one engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any

from ...scheduling.devices import nvidia_ids
from ...supervisor import Supervisor
from ..base import (
    Ended,
    ExecutorUnavailable,
    Handle,
    InstanceStatus,
    Owned,
    StartRequest,
    Tell,
    Worker,
    silent,
)
from ..containers import images, plan, words
from ..containers.engine import Engine
from ..containers.environments import ROLE, Environments
from ..containers.failures import EngineRefused, Missing
from ..containers.plan import ContainerPlan
from ..containers.settings import ContainerConfig
from . import instances
from .builders import Builders
from .files import Files
from .pulls import Pulls
from .rendering import container
from .starts import Starts
from .view import View
from .watch import listing, watch

log = logging.getLogger(__name__)

HANDLE_VERSION = 1
#: Seconds a runner whose job has ended may take to put itself away.
_TIDY_S = 10.0

Key = tuple[str, int]


class DockerExecutor:
    """Runs jobs as containers. See ``executors.base.Executor`` for the methods."""

    name = "docker"
    claim_timeout_s = 60.0
    reach = "bridge"

    def __init__(self, config: ContainerConfig, supervisor: Supervisor) -> None:
        """Nothing is connected before ``open``. ``close`` stops the supervisor."""
        self.config = config
        self.engine = Engine(config.host)
        self._view = View(self.engine, config)
        self.settled = self._view.settled
        self._supervisor = supervisor
        self._builders = Builders(self.engine, config.relay_id, self._make)
        self._files = Files(config, self._builders.volume)
        self._environments = Environments(config, self._supervisor, self._builders.build)
        self._pulls = Pulls(self.engine, self._supervisor)
        self._starts = Starts(self._supervisor)
        #: What runs here, as far as is known; set when it ends.
        self._live: dict[Key, asyncio.Event] = {}
        self._on_end: Callable[[Ended], None] = lambda ended: None
        self._on_change: Callable[[], None] = lambda: None

    # ---- The outside: there, away, and what it offers ------------------------------------------------

    async def open(self, on_end: Callable[[Ended], None], on_change: Callable[[], None]) -> None:
        """Begin to connect."""
        self._on_end, self._on_change = on_end, on_change
        self._supervisor.start("docker", self._run, restart=True)

    async def _run(self) -> None:
        try:
            await asyncio.to_thread(self._files.prepare)
        except ExecutorUnavailable as error:
            self.away(error)
            return
        await watch(self.engine, self.config.relay_id, self)

    async def close(self) -> None:
        """Let go of the engine; containers go on."""
        await self._supervisor.stop()
        self.engine.close()

    @property
    def trouble(self) -> str:
        """Why the engine can't be used now."""
        return self._view.trouble

    async def address(self) -> str:
        """The gateway of the default bridge, which is this machine."""
        return await self._view.gateway()

    async def connected(self, containers: Sequence[Mapping[str, Any]]) -> None:
        """The watch has a connection."""
        await self._view.connected()
        self._environments.forget()
        await self._compare(containers)
        self._view.back()
        self._on_change()

    async def _compare(self, containers: Sequence[Mapping[str, Any]]) -> None:
        """Tell what has ended unseen, and remove builders that an earlier relay has left."""
        running = set()
        for found in containers:
            name = str(found["Names"][0]).lstrip("/")
            if found["State"] in instances.RUNNING:
                running.add(name)
            if found["Labels"].get(plan.ROLE) == ROLE and name not in self._builders:
                await self.engine.call(partial(instances.remove, name=name))
        for key in list(self._live):
            if key not in self._starts and plan.container_name(*key) not in running:
                await self._ended(key)
        self._builders.compare(running)

    async def event(self, event: Mapping[str, Any]) -> None:
        """The watch has seen a container end."""
        marks = event.get("Actor", {}).get("Attributes", {})
        key = plan.attempt_of(marks)
        if key is not None:
            await self._ended(key, int(marks.get("exitCode", -1)))
        else:
            self._builders.ended(str(marks.get("name")))

    async def tick(self) -> None:
        """The watch has a quiet moment."""
        if await self._view.look_at_images():
            self._on_change()

    def away(self, error: ExecutorUnavailable) -> None:
        """The watch has no connection."""
        if self._view.away(error):
            log.debug("%s", self.trouble)  # what asks for trouble logs it, as loud as it matters
            self._on_change()

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs from now on; nothing where there are real ones."""
        self._view.simulated = count
        self._on_change()

    async def fingerprint(self) -> list[Worker]:
        """This engine, once it has been seen; not ready while it is away."""
        return self._view.workers(self.name)

    # ---- Instances -----------------------------------------------------------------------------------

    def handle_for(self, request: StartRequest) -> Handle:
        """The container's name follows from it."""
        return plan.handle(self.name, HANDLE_VERSION, request.job_id, request.attempt)

    async def prepare(self, request: StartRequest, tell: Tell = silent) -> None:
        """Bring the image and the dependency environment."""
        await self._view.seen()
        image = images.image_for(request, self._view.images)
        if request.image and images.with_tag(image) not in self._view.names and not await self._has(image):
            await self._pulls.bring(image, tell)
        if request.requirements:
            await self._environments.bring(image, request.requirements, tell)

    async def _has(self, image: str) -> bool:
        try:
            await self.engine.call(lambda client: client.api.inspect_image(image))
        except Missing:
            return False
        except EngineRefused as error:
            raise words.of_pull_error(error.message, image) from error
        return True

    async def start(self, request: StartRequest) -> Handle:
        """Make and start the container."""
        await self._view.seen()
        handle, key = self.handle_for(request), (request.job_id, request.attempt)
        image = images.image_for(request, self._view.images)
        if key in self._live:
            return handle
        self._live[key] = asyncio.Event()
        wanted = self._plan(request, image)
        try:
            runs = await self._starts.run(key, lambda abandoned: self._make(wanted, abandoned))
        except BaseException:
            self._live.pop(key, None)
            raise
        if not runs:
            await self._ended(key)
        return handle

    def _plan(self, request: StartRequest, image: str) -> ContainerPlan:
        view = self._view
        return plan.plan(
            request, self.config, image, view.memory_mib, view.cores,
            gpus=nvidia_ids(view.gpus, request.devices),
            environments=self._environments.has(image, request.requirements),
        )  # fmt: skip

    async def _make(self, wanted: ContainerPlan, abandoned: Event | None = None) -> bool:
        unwanted = abandoned or Event()

        def make(client: Any) -> bool:
            sources = self._files.write(wanted)
            body = container(wanted, sources, self._view.gpus_by)
            try:
                return instances.start(client, wanted.name, body, unwanted)
            finally:
                if not self._view.far_files:
                    self._files.discard(wanted.name)

        try:
            return await self.engine.call(make)
        except EngineRefused as error:
            await self.engine.call(partial(instances.remove, name=wanted.name))
            if isinstance(error, Missing):
                await self._view.look_at_images()
            folders = [there for there, _ in wanted.folders]
            raise words.of_start_error(error.message, wanted.image, folders) from error

    async def recover(self, handle: Handle) -> InstanceStatus:
        """Await the container's end again."""
        key = _key(handle)
        if key in self._live:
            return InstanceStatus(True)
        over = self._live[key] = asyncio.Event()
        found = None
        try:
            found = await self.inspect(handle)
        finally:
            if (found is None or not found.alive) and self._live.get(key) is over:
                del self._live[key]
        return found

    async def inspect(self, handle: Handle) -> InstanceStatus:
        """What the engine says."""
        return await self.engine.call(partial(instances.status, name=_name(handle)))

    async def explain(self, handle: Handle) -> str:
        """The last lines of the container's output."""
        try:
            return await self.engine.call(partial(instances.tail, name=_name(handle)))
        except (EngineRefused, ExecutorUnavailable):
            return ""

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """SIGTERM; the grace is the one of the runner's assignment."""
        await self._starts.settle(_key(handle))
        await self.engine.call(partial(instances.terminate, name=_name(handle)))

    async def destroy(self, handle: Handle, *, ended: bool = False) -> None:
        """Remove the container with its volume and its files."""
        key = _key(handle)
        await self._starts.settle(key)
        if ended and (key in self._live or (await self.recover(handle)).alive):
            try:
                async with asyncio.timeout(_TIDY_S):
                    await self._live[key].wait()
            except (KeyError, TimeoutError):
                log.info("the container of job %s has not ended by itself", key[0])
        self._live.pop(key, None)
        await self.engine.call(partial(instances.remove, name=_name(handle)))
        self._files.discard(_name(handle))

    async def list_owned(self) -> list[Owned]:
        """Every container of a job of this relay."""
        owned = []
        for found in await listing(self.engine, self.config.relay_id):
            key = plan.attempt_of(found.get("Labels") or {})
            if key is not None:
                handle = plan.handle(self.name, HANDLE_VERSION, *key)
                owned.append(Owned(handle, *key, found["State"] in instances.RUNNING))
        return owned

    async def _ended(self, key: Key, code: int | None = None) -> None:
        """Tell that a container has ended, with all that is known of it."""
        if key not in self._live:
            return
        name = plan.container_name(*key)
        status = InstanceStatus(False, 0, words.of_end(0, oom=False, image="", memory_mib=0))
        if code != 0:
            status = await self.engine.call(partial(instances.status, name=name))
        if status.alive:
            return  # it was started after whoever tells of it had looked
        over = self._live.pop(key, None)
        if over is not None:  # not destroyed meanwhile
            over.set()
            self._on_end(Ended(*key, status))


def _key(handle: Handle) -> Key:
    return str(handle["job_id"]), int(handle["attempt"])


def _name(handle: Handle) -> str:
    return plan.container_name(*_key(handle))
