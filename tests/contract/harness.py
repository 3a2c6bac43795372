"""What the contract suite needs of each executor: work to start, and a look from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cumulus_server.executors.base import Ended, Executor, StartFailed, StartRequest, Worker
from cumulus_server.executors.process import ProcessConfig, ProcessExecutor
from cumulus_server.executors.process.adopted import read_note
from tests.fakes.executor import FakeExecutor, FakeInstance, FakeWorld
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.patience import LIMIT_S

from .docker_harness import DockerHarness
from .work import PATIENT, SHORT, WORK


class Harness(Protocol):
    """One kind of executor, and the world its instances live in, which outlives the executors."""

    def make(self) -> Executor:
        """A new executor, not yet open, as a new relay process would have."""

    def request(self, kind: str = PATIENT, *, job_id: str = "", attempt: int = 1) -> StartRequest:
        """An attempt with this kind of work."""

    def impossible(self) -> tuple[Executor, StartRequest]:
        """An executor, not yet open, and a request that it cannot start."""

    async def running(self, request: StartRequest) -> None:
        """Wait until the attempt's code runs."""

    async def kill(self, request: StartRequest) -> None:
        """End the instance as a crash would."""

    def close(self) -> None:
        """Take the world down."""


class Ends:
    """Collects what an executor tells."""

    def __init__(self) -> None:
        self.told: list[Ended] = []
        self._changed = asyncio.Event()

    def __call__(self, ended: Ended) -> None:
        self.told.append(ended)
        self._changed.set()

    async def of(self, request: StartRequest, timeout_s: float = LIMIT_S) -> Ended:
        """The end of this attempt."""

        async def look() -> Ended:
            while True:
                for ended in self.told:
                    if (ended.job_id, ended.attempt) == (request.job_id, request.attempt):
                        return ended
                self._changed.clear()
                await self._changed.wait()

        return await asyncio.wait_for(look(), timeout_s)


async def until(condition: Callable[[], bool], timeout_s: float = LIMIT_S) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class FakeHarness:
    """The fake of the reconcile loop's own tests."""

    def __init__(self, folder: Path) -> None:
        self._kinds: dict[str, str] = {}
        self._begun: set[str] = set()
        self._number = 0
        worker = Worker("w", "fake", slots=4, memory_mib=1000, pythons=("3.11",))
        self.world = FakeWorld([worker], behaviour=self._behave)

    async def _behave(self, instance: FakeInstance) -> int:
        self._begun.add(instance.request.job_id)
        kind = self._kinds[instance.request.job_id]
        if kind == SHORT:
            await asyncio.sleep(0.05)
        elif kind == PATIENT:
            await instance.stop_asked.wait()
        else:
            await asyncio.Event().wait()
        return 0

    def make(self) -> Executor:
        return FakeExecutor(self.world)

    def request(self, kind: str = PATIENT, *, job_id: str = "", attempt: int = 1) -> StartRequest:
        self._number += 1
        job_id = job_id or f"job{self._number}"
        self._kinds[job_id] = kind
        return StartRequest(job_id, attempt, "token", "http://127.0.0.1:1/", "", "w")

    def impossible(self) -> tuple[Executor, StartRequest]:
        error = StartFailed("this cannot work", permanent=True)
        return FakeExecutor(self.world, start_error=error), self.request()

    async def running(self, request: StartRequest) -> None:
        await until(lambda: request.job_id in self._begun)

    async def kill(self, request: StartRequest) -> None:
        self.world.kill((request.job_id, request.attempt))

    def close(self) -> None:
        for instance in self.world.instances.values():
            assert instance.task is not None
            instance.task.cancel()


class ProcessHarness:
    """Real processes, real runners, and a relay that knows the runner's routes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.relay = FakeRelay()

    def make(self, **settings: object) -> ProcessExecutor:
        given: dict[str, object] = {"slots": 4, "warm": 1, "grace_s": 1.0, **settings}
        root, environments = self.folder / "process", self.folder / "environments"
        return ProcessExecutor(ProcessConfig(root, environments, **given))  # type: ignore[arg-type]

    def request(
        self, kind: str = PATIENT, *, job_id: str = "", attempt: int = 1, source: str = "", python: str = ""
    ) -> StartRequest:
        more = {"job_id": job_id} if job_id else {}
        job = self.relay.add(FakeJob({"source": source or WORK[kind]}, attempt=attempt, **more))
        return StartRequest(job.id, attempt, job.claim_token, self.relay.url, "", "local", python=python)

    def job(self, request: StartRequest) -> FakeJob:
        """The job as the relay sees it."""
        return self.relay.jobs[request.job_id]

    def impossible(self) -> tuple[Executor, StartRequest]:
        return self.make(), self.request(python="2.7")

    async def running(self, request: StartRequest) -> None:
        await asyncio.to_thread(self.job(request).wait_for_text, "begun")

    async def kill(self, request: StartRequest) -> None:
        note = read_note(self.folder / "process" / "jobs" / request.job_id / str(request.attempt))
        assert note is not None
        os.kill(note.pid, signal.SIGKILL)

    def close(self) -> None:
        self.relay.stop()


HARNESSES: dict[str, Callable[[Path], Harness]] = {
    "process": ProcessHarness,
    "docker": DockerHarness,
    "fake": FakeHarness,
}
