"""The executor for a Docker Swarm: services made, watched and removed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from ...scheduling.devices import nvidia_ids
from ...supervisor import Supervisor
from ..base import (
    Ended,
    ExecutorUnavailable,
    Handle,
    InstanceStatus,
    Owned,
    StartFailed,
    StartRequest,
    Tell,
    Worker,
    silent,
)
from ..containers import images
from ..containers.environments import volume_name
from ..containers.failures import EngineRefused
from ..containers.plan import ContainerPlan, container_name, handle, plan
from ..containers.settings import ContainerConfig
from . import nodes, services, tasks
from .builders import Builders
from .manager import Manager
from .membership import Membership
from .outlook import Outlook
from .supplies import Supplies
from .tasks import Key, Task
from .watch import Watch

log = logging.getLogger(__name__)

HANDLE_VERSION = 1
#: Seconds beyond the grace that the end of a container may take.
_END_S = 15.0
#: Seconds after which a user is told that an image is being pulled.
_PULL_TOLD_S = 1.5
_GONE = InstanceStatus(False, message="the container is not there any more")
_OFFERS = ("swarm", "docker", "container", "images")


class SwarmExecutor:
    """Runs jobs on the nodes of a Swarm. See ``executors.base.Executor`` for the methods."""

    name = "swarm"
    claim_timeout_s = 120.0
    reach = "network"

    def __init__(self, config: ContainerConfig, supervisor: Supervisor | None = None) -> None:
        """Nothing is connected before ``open``. ``close`` stops the supervisor."""
        self.config = config
        self._supervisor = supervisor or Supervisor()
        self._manager = Manager(config.host, config.relay_id)
        self._supplies = Supplies(self._manager, config)
        self._watch = Watch(self._manager, self._finish, self._start_by_name)
        self._outlook = Outlook(self._manager, self._supplies, self._watch)
        self._builders = Builders(self._manager, self._watch, config, self._supervisor, self._make)
        self.membership = Membership(self._manager, self._supplies, self._watch)
        self.settled = self._outlook.settled
        self._simulated = config.simulated_gpus
        self._ended: dict[Key, InstanceStatus] = {}
        self._starting: dict[Key, asyncio.Future[None]] = {}
        #: Nodes that lack an image under its id and may have it under its name.
        self._by_name: set[tuple[str, str]] = set()
        self._on_end: Callable[[Ended], None] = lambda ended: None
        self._on_change: Callable[[], None] = lambda: None

    @property
    def trouble(self) -> str:
        """Why the Swarm can't be used now."""
        return self._outlook.trouble

    async def address(self) -> str:
        """The address under which the Swarm knows its manager, which is where the relay is as a rule."""
        with contextlib.suppress(ExecutorUnavailable):
            return await self._manager.address()
        return ""

    async def open(self, on_end: Callable[[Ended], None], on_change: Callable[[], None]) -> None:
        """Begin to look at the Swarm."""
        self._on_end, self._on_change = on_end, on_change
        self._outlook.open(self._supervisor, lambda: self._on_change())

    async def close(self) -> None:
        """Stop looking; what runs goes on."""
        await self._supervisor.stop()
        self._manager.engine.close()

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs on every worker without real ones."""
        self._simulated = count
        self._on_change()

    async def fingerprint(self) -> list[Worker]:
        """The nodes that take work, also those that are down; as last seen while the Swarm is away."""
        found = nodes.workers(
            self._watch.nodes.values(),
            executor=self.name,
            pythons=list(self._supplies.images),
            slots=self.config.slots,
            simulated=self._simulated,
            offers=_OFFERS,
        )
        if not self.trouble:
            return found
        return [replace(worker, ready=False, message=self.trouble) for worker in found]

    def handle_for(self, request: StartRequest) -> Handle:
        """The attempt is all that its service's name is made of."""
        return handle(self.name, HANDLE_VERSION, request.job_id, request.attempt)

    async def prepare(self, request: StartRequest, tell: Tell = silent) -> None:
        """Bring the dependency environment, and have the worker pull the image, if it may have to: it
        does so for the attempt's own service."""
        await self._supplies.files()
        image = self._image(request)
        node = self._node(request.worker)
        await self._builders.bring(node, image, request.requirements, tell)
        if (node.id, image) in self._watch.images or self._supplies.called(image) != image:
            return
        await self._begin(request)
        key = _key(self.handle_for(request))
        try:
            async with asyncio.timeout(_PULL_TOLD_S):
                status = await self._watch.begun(key)
        except TimeoutError:
            tell(f"the worker {node.name} is pulling the image {image}")
            status = await self._watch.begun(key)
        if status is not None:
            raise StartFailed(status.message, next=status.next, permanent=bool(status.next))

    async def start(self, request: StartRequest) -> Handle:
        """Make the secret and the service, where ``prepare`` has not."""
        await self._begin(request)
        return self.handle_for(request)

    async def _begin(self, request: StartRequest) -> None:
        key = (request.job_id, request.attempt)
        if self._watch.has(key) or key in self._ended:
            return
        if key not in self._starting:
            node = self._node(request.worker)
            image = self._image(request)
            built = self._builders.has(node, image, request.requirements)
            gpus = nvidia_ids(node.devices, request.devices)
            room = (node.memory_mib, node.cpu)
            planned = plan(request, self.config, image, *room, gpus=gpus, environments=built)
            # What was asked of the engine happens even where this is cancelled: destroy waits for it.
            self._starting[key] = asyncio.get_running_loop().create_future()
            self._supervisor.start(f"start {planned.name}", lambda: self._start(key, planned, node))
        await asyncio.shield(self._starting[key])

    def _image(self, request: StartRequest) -> str:
        return images.image_for(request, self._supplies.images)

    async def _start(self, key: Key, planned: ContainerPlan, node: nodes.Node) -> None:
        done = self._starting[key]
        try:
            await self._make(planned, node)
            self._watch.add(key, planned.name, node.id, node.name)
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)
            done.exception()  # may be nobody waits for it any more
        finally:
            done.cancel()
            del self._starting[key]

    async def _make(self, planned: ContainerPlan, node: nodes.Node) -> None:
        luggage, ca_bundle = await self._supplies.files()
        called = planned.image
        if (node.id, planned.image) not in self._by_name:
            called = self._supplies.called(planned.image)
        secret = await self._manager.make_secret(planned.name, planned.assignment, planned.labels)
        spec = services.service(
            planned,
            node.id,
            secret=secret,
            luggage=luggage,
            ca_bundle=ca_bundle,
            environments=volume_name(self.config.relay_id),
            image=called,
        )
        try:
            await self._manager.create(spec, called)
        except EngineRefused as error:
            self._supplies.forget_files()
            raise StartFailed(f"The Swarm has refused the job: {error.message}") from error

    def _node(self, worker: str) -> nodes.Node:
        for node in self._watch.nodes.values():
            if node.name == worker:
                if node.down:
                    raise StartFailed(f"the worker {worker} is down")
                return node
        if self.trouble:
            raise ExecutorUnavailable(self.trouble)
        raise StartFailed(
            f"There is no worker {worker} in the Swarm", next="`docker node ls` tells which there are."
        )

    async def _start_by_name(self, service: str, task: Task) -> None:
        self._by_name.add((task.node, task.image))
        with contextlib.suppress(EngineRefused):  # removed meanwhile
            await self._manager.use_name(service)

    async def recover(self, handle: Handle) -> InstanceStatus:
        """Watch a service that an earlier relay has made."""
        key = _key(handle)
        if self._watch.has(key):
            return InstanceStatus(True)
        task = (await self._manager.tasks()).get(key)
        if task is None:
            return _GONE
        await self._know_nodes()
        status = self._watch.status_of(task)
        if status.alive or task.lacks_image_by_id:
            node = self._watch.nodes.get(task.node)
            worker = node.name if node else task.node[:12]
            self._watch.add(key, container_name(*key), task.node, worker, leaving=task.leaving)
            return InstanceStatus(True)
        return status

    async def inspect(self, handle: Handle) -> InstanceStatus:
        """By its task."""
        key = _key(handle)
        if key in self._ended:
            return self._ended[key]
        if self._watch.has(key) or key in self._starting:
            return InstanceStatus(True)
        task = (await self._manager.tasks()).get(key)
        if task is None:
            return _GONE
        await self._know_nodes()
        return self._watch.status_of(task)

    async def explain(self, handle: Handle) -> str:
        """What its container has written, where its worker can be asked."""
        try:
            output = await self._manager.output(container_name(*_key(handle)), 20, 5.0)
        except Exception as error:
            log.debug("no output of %s: %s", handle, error)
            return ""
        return output.strip()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """Remove the service: Swarm sends SIGTERM, and SIGKILL after the time its service was made with."""
        key = _key(handle)
        if await self._manager.remove(container_name(*key), secret=False) and not self._watch.has(key):
            await self.recover(handle)
        if self._watch.has(key):
            self._watch.add(key, container_name(*key), "", "", leaving=True)

    async def destroy(self, handle: Handle, *, ended: bool = False) -> None:
        """Remove service and secret; Swarm removes container and volume, also from a worker that is down
        now, once that is back."""
        key = _key(handle)
        starting = self._starting.get(key)
        if starting is not None:
            await asyncio.wait([starting])
        self._watch.drop(key)
        await self._manager.remove(container_name(*key))
        if not await self._watch.gone(key, self.config.grace_s + _END_S):
            log.warning("the container of %s takes long to end; Swarm goes on with it", container_name(*key))
        self._ended.pop(key, None)

    async def list_owned(self) -> list[Owned]:
        """One for each attempt with a service, a secret, or a task on a worker that answers."""
        left = await self._manager.left()
        await self._builders.reap(left.builders)
        await self._know_nodes()
        attempts = {key: task for key, task in left.tasks.items() if not tasks.is_builder(key)}
        ending = {key for key, task in attempts.items() if task.leaving and self._watch.holds(task)}
        owned = []
        for key in sorted(left.services | left.secrets | ending):
            task = left.tasks.get(key)
            alive = key in left.services if task is None else self._watch.status_of(task).alive
            owned.append(Owned(handle(self.name, HANDLE_VERSION, *key), *key, alive))
        return owned

    def _finish(self, key: Key, status: InstanceStatus) -> None:
        if not self._builders.ended(key, status):
            self._ended[key] = status
            self._on_end(Ended(*key, status))

    async def _know_nodes(self) -> None:
        if not self._watch.nodes:
            await self._watch.look_at_nodes()


def _key(handle: Handle) -> Key:
    return str(handle["job_id"]), int(handle["attempt"])
