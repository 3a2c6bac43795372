"""An executor whose instances are tasks, with every fault an executor can have.

Instances live in a ``FakeWorld``, as containers live in an engine: they outlive the executor object
and so the relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cumulus_server.executors.base import (
    Ended,
    Handle,
    InstanceStatus,
    Owned,
    StartFailed,
    StartRequest,
    Tell,
    Worker,
    silent,
)

Key = tuple[str, int]


@dataclass
class FakeInstance:
    """One attempt's instance, alive or not, until it is destroyed."""

    request: StartRequest
    handle: Handle
    task: asyncio.Task[None] | None = None
    status: InstanceStatus = InstanceStatus(True)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[Callable[[Ended], None]] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.request.job_id, self.request.attempt

    def end(self, status: InstanceStatus) -> None:
        """It has ended by itself, or was ended."""
        if self.status.alive:
            self.status = status
            self.over.set()
            for listener in self.listeners:
                listener(Ended(*self.key, status))


#: What an instance does; what it returns is its exit status.
Behaviour = Callable[[FakeInstance], Awaitable[int]]


async def wait_for_stop(instance: FakeInstance) -> int:
    """Run until asked to stop."""
    await instance.stop_asked.wait()
    return 0


@dataclass
class FakeWorld:
    """The machines: what runs on them does not depend on any relay."""

    workers: list[Worker]
    behaviour: Behaviour = wait_for_stop
    instances: dict[Key, FakeInstance] = field(default_factory=dict)

    def run(self, request: StartRequest, handle: Handle) -> FakeInstance:
        instance = FakeInstance(request, handle)
        self.instances[instance.key] = instance
        instance.task = asyncio.create_task(self._run(instance), name=f"instance {instance.key}")
        return instance

    async def _run(self, instance: FakeInstance) -> None:
        try:
            code = await self.behaviour(instance)
        except asyncio.CancelledError:
            instance.end(InstanceStatus(False, -9, "the instance was killed (SIGKILL)"))
            raise
        message = "the instance has ended" if code == 0 else f"the instance exited with status {code}"
        instance.end(InstanceStatus(False, code, message))

    def kill(self, key: Key) -> None:
        """End an instance from outside, as a crash or somebody else would."""
        instance = self.instances.get(key)
        if instance is not None and instance.task is not None:
            instance.task.cancel()

    def stop(self, key: Key) -> None:
        """Ask an instance to end, as somebody else than the relay would."""
        if key in self.instances:
            self.instances[key].stop_asked.set()

    def lose(self, key: Key) -> None:
        """An instance vanishes without a word, handle and all."""
        instance = self.instances.pop(key, None)
        if instance is not None and instance.task is not None:
            instance.listeners.clear()
            instance.task.cancel()


@dataclass
class Faults:
    """What goes wrong. Each is asked at its moment, and may raise or wait."""

    before_start: Callable[[StartRequest], Awaitable[None]] | None = None
    #: After the instance runs: an error here is a start whose answer was lost.
    after_start: Callable[[StartRequest], Awaitable[None]] | None = None
    on_stop: Callable[[Handle], Awaitable[None]] | None = None
    on_destroy: Callable[[Handle], Awaitable[None]] | None = None


class FakeExecutor:
    """See ``executors.base.Executor``."""

    def __init__(
        self,
        world: FakeWorld,
        *,
        name: str = "fake",
        start_error: StartFailed | None = None,
        claim_timeout_s: float = 30.0,
        faults: Faults | None = None,
    ) -> None:
        self.name = name
        self.claim_timeout_s = claim_timeout_s
        self.start_error = start_error
        self.faults = faults or Faults()
        self._world = world
        self._on_end: Callable[[Ended], None] = lambda ended: None
        self.on_change: Callable[[], None] = lambda: None
        self.reach = ""
        self.settled = asyncio.Event()
        self.trouble = ""
        #: What ``explain`` answers.
        self.words = ""
        self._closed = False

    async def open(self, on_end: Callable[[Ended], None], on_change: Callable[[], None]) -> None:
        self._on_end, self.on_change = on_end, on_change
        self.settled.set()

    async def address(self) -> str:
        return ""

    async def explain(self, handle: Handle) -> str:
        return self.words

    async def close(self) -> None:
        self._closed = True

    def _tell(self, ended: Ended) -> None:
        if not self._closed:
            self._on_end(ended)

    async def fingerprint(self) -> list[Worker]:
        return list(self._world.workers)

    def handle_for(self, request: StartRequest) -> Handle:
        return {"version": 1, "executor": self.name, "job_id": request.job_id, "attempt": request.attempt}

    async def prepare(self, request: StartRequest, tell: Tell = silent) -> None:
        if self.faults.before_start is not None:
            await self.faults.before_start(request)

    async def start(self, request: StartRequest) -> Handle:
        if self.start_error is not None:
            raise self.start_error
        handle = self.handle_for(request)
        if (request.job_id, request.attempt) not in self._world.instances:
            self._world.run(request, handle).listeners.append(self._tell)
        if self.faults.after_start is not None:
            await self.faults.after_start(request)
        return handle

    def _find(self, handle: Handle) -> FakeInstance | None:
        return self._world.instances.get((handle["job_id"], handle["attempt"]))

    async def recover(self, handle: Handle) -> InstanceStatus:
        instance = self._find(handle)
        if instance is None:
            return InstanceStatus(False, message="the instance is not there any more")
        if self._tell not in instance.listeners:
            instance.listeners.append(self._tell)
        return instance.status

    async def inspect(self, handle: Handle) -> InstanceStatus:
        instance = self._find(handle)
        if instance is None:
            return InstanceStatus(False, message="the instance is not there any more")
        return instance.status

    async def stop(self, handle: Handle, grace_s: float) -> None:
        if self.faults.on_stop is not None:
            await self.faults.on_stop(handle)
        instance = self._find(handle)
        if instance is not None:
            instance.stop_asked.set()

    async def destroy(self, handle: Handle, *, ended: bool = False) -> None:
        if self.faults.on_destroy is not None:
            await self.faults.on_destroy(handle)
        instance = self._find(handle)
        if instance is None:
            return
        if ended and instance.status.alive:
            try:
                async with asyncio.timeout(10):
                    await instance.over.wait()
            except TimeoutError:
                pass
        if instance.task is not None and not instance.task.done():
            instance.task.cancel()
            await asyncio.wait([instance.task])
        instance.end(InstanceStatus(False, -9, "the instance was killed (SIGKILL)"))
        self._world.instances.pop(instance.key, None)

    async def list_owned(self) -> list[Owned]:
        return [
            Owned(instance.handle, *instance.key, instance.status.alive)
            for instance in self._world.instances.values()
        ]
