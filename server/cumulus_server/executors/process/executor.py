"""The executor for this machine: assignments to runners, and what becomes of them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from ..base import (
    Device,
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
from . import devices, procfs
from .adopted import AdoptedRunner
from .assignments import assignment
from .config import ProcessConfig
from .folders import JobFolders
from .interpreters import Interpreter, other_interpreters, own_interpreter
from .pool import RunnerPool
from .runner_process import Answers, Key, RunnerProcess

log = logging.getLogger(__name__)

__all__ = ["ProcessConfig", "ProcessExecutor"]

HANDLE_VERSION = 1
#: The one worker of this executor.
WORKER = "local"
#: Seconds a runner whose job has ended may take to put itself away.
_TIDY_S = 10.0
_FINISHED = InstanceStatus(False, message="the runner has ended")
_GONE = InstanceStatus(False, message="the runner is not there any more")


class ProcessExecutor:
    """Runs jobs on the relay's machine. See ``executors.base.Executor`` for the methods."""

    name = "process"
    claim_timeout_s = 30.0
    reach = ""
    trouble = ""

    def __init__(self, config: ProcessConfig, answers: Answers | None = None) -> None:
        """Without ``answers``, runners make all their requests over HTTP."""
        self.config = config
        self._answers = answers
        self.settled = asyncio.Event()
        self.slots = config.slots or max(4, 4 * (os.cpu_count() or 1))
        self._folders = JobFolders(config.root / "jobs")
        self._interpreters: list[Interpreter] = []
        self._devices: list[Device] = []
        self._simulated = config.simulated_gpus
        self._busy: dict[Key, RunnerProcess] = {}
        self._adopted: dict[Key, AdoptedRunner] = {}
        self._done: dict[Key, asyncio.Event] = {}
        self._ended: dict[Key, InstanceStatus] = {}
        self._pool: RunnerPool | None = None
        self._on_end: Callable[[Ended], None] = lambda ended: None
        self._on_change: Callable[[], None] = lambda: None

    async def open(self, on_end: Callable[[Ended], None], on_change: Callable[[], None]) -> None:
        """Find the interpreters and devices, and start the first runners."""
        self._on_end, self._on_change = on_end, on_change
        logs = self.config.root / "logs"
        for folder in (self.config.root, self._folders.root, self.config.environments, logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._pool = RunnerPool(
            logs, self.config.env, warm=self.config.warm,
            on_done=self._finish, on_exit=self._finish, answers=self._answers,
        )  # fmt: skip
        own = own_interpreter()
        self._interpreters = [own]
        self._pool.fill(own, self.config.warm)
        others = await other_interpreters(self.config.pythons, self.config.root / "luggage")
        self._interpreters += [other for other in others if other.minor != own.minor]
        self._devices = await asyncio.to_thread(devices.nvidia_devices)
        self.settled.set()

    async def address(self) -> str:
        """Loopback."""
        return ""

    async def close(self) -> None:
        """Let go of all runners: idle ones exit, busy ones go on."""
        if self._pool is not None:
            self._pool.close()
        for adopted in self._adopted.values():
            adopted.close()

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs from now on; nothing where there are real ones."""
        self._simulated = count
        self._on_change()

    async def fingerprint(self) -> list[Worker]:
        """This machine."""
        found = devices.with_mps(self._devices or devices.simulated_devices(self._simulated))
        return [
            Worker(
                id=WORKER,
                executor=self.name,
                slots=self.slots,
                cpu=float(os.cpu_count() or 1),
                memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
                devices=found,
                pythons=tuple(interpreter.minor for interpreter in self._interpreters),
                capabilities=frozenset({self.name, "gpu"} if found else {self.name}),
            )
        ]

    def handle_for(self, request: StartRequest) -> Handle:
        """All there is to know beforehand is all that is needed."""
        return {
            "version": HANDLE_VERSION,
            "executor": self.name,
            "job_id": request.job_id,
            "attempt": request.attempt,
        }

    async def prepare(self, request: StartRequest, tell: Tell = silent) -> None:
        """Nothing: runners are ready, and requirements are installed by them."""

    async def start(self, request: StartRequest) -> Handle:
        """Hand the assignment to an idle runner."""
        handle = self.handle_for(request)
        key = _key(handle)
        if key in self._busy:
            return handle
        assert self._pool is not None, "open() comes first"
        interpreter = self._interpreter(request.python)
        runner = await self._pool.take(interpreter)
        self._busy[key] = runner
        self._done[key] = asyncio.Event()
        try:
            runner.assign(
                assignment(request, self._folders.work(key), self.config, self._answers is not None)
            )
        except StartFailed:
            self._forget(key)
            raise
        return handle

    def _interpreter(self, minor: str) -> Interpreter:
        for interpreter in self._interpreters:
            if minor in ("", interpreter.minor):
                return interpreter
        raise StartFailed(
            f"There is no Python {minor} here",
            next="Name its interpreter in the setting process.pythons.",
            permanent=True,
        )

    async def recover(self, handle: Handle) -> InstanceStatus:
        """Watch the runner that an earlier relay left."""
        key = _key(handle)
        if key in self._busy or key in self._adopted:
            return InstanceStatus(True)
        note = (await asyncio.to_thread(self._folders.notes)).get(key)
        if note is None:
            return _GONE
        try:
            self._adopted[key] = AdoptedRunner(note, self._finish)
        except (ProcessLookupError, OSError):
            return _GONE
        return InstanceStatus(True)

    async def inspect(self, handle: Handle) -> InstanceStatus:
        """Alive while a runner is busy with it."""
        key = _key(handle)
        if key in self._busy or key in self._adopted:
            return InstanceStatus(True)
        if key in self._ended:
            return self._ended[key]
        notes = await asyncio.to_thread(self._folders.notes)
        return InstanceStatus(True) if key in notes else _GONE

    async def explain(self, handle: Handle) -> str:
        """A runner that dies is told with its last words; one that is silent has none."""
        runner = self._busy.get(_key(handle))
        return runner.last_words() if runner is not None else ""

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """SIGTERM to the runner; the grace is the one of its assignment."""
        runner = self._busy.get(_key(handle)) or self._adopted.get(_key(handle))
        if runner is None:
            await self.recover(handle)
            runner = self._adopted.get(_key(handle))
        if runner is not None:
            runner.ask_to_stop()

    async def destroy(self, handle: Handle, *, ended: bool = False) -> None:
        """End runner and job with all their processes, and remove the job's folder."""
        key = _key(handle)
        if ended:
            await self._tidied(handle, key)
        runner = self._busy.get(key)
        if runner is not None:
            await asyncio.to_thread(procfs.end_family, runner.pid, runner.ticks, _marks(key))
            await runner.wait(_TIDY_S)
        elif key not in self._ended:
            await self.recover(handle)
            adopted = self._adopted.get(key)
            pid, ticks = (adopted.note.pid, adopted.note.ticks) if adopted else (-1, None)
            await asyncio.to_thread(procfs.end_family, pid, ticks, _marks(key))
            if adopted:
                await adopted.wait(_TIDY_S)
        elif self._ended[key].exit_code is not None:  # it died, and may have left processes behind
            await asyncio.to_thread(procfs.end_family, -1, None, _marks(key))
        self._forget(key)
        self._ended.pop(key, None)
        if not self._folders.remove_tidy(key):
            await asyncio.to_thread(self._folders.remove, key)

    async def _tidied(self, handle: Handle, key: Key) -> None:
        """Wait until the runner has put itself away, within reason."""
        if key in self._done:
            try:
                async with asyncio.timeout(_TIDY_S):
                    await self._done[key].wait()
            except TimeoutError:
                log.warning("the runner of job %s did not put itself away", key[0])
        elif key not in self._ended:
            await self.recover(handle)
            if key in self._adopted:
                await self._adopted[key].wait(_TIDY_S)

    async def list_owned(self) -> list[Owned]:
        """One for each attempt's folder, and for each job handed out."""
        notes, folders = await asyncio.to_thread(self._folders.look)
        keys = dict.fromkeys([*folders, *self._busy, *self._adopted])
        return [
            Owned(
                {"version": HANDLE_VERSION, "executor": self.name, "job_id": key[0], "attempt": key[1]},
                key[0],
                key[1],
                key in self._busy or key in self._adopted or key in notes,
            )
            for key in keys
        ]

    def _finish(self, key: Key, status: InstanceStatus = _FINISHED) -> None:
        self._ended[key] = status
        done = self._done.get(key)
        self._forget(key)
        if done is not None:
            done.set()
        self._on_end(Ended(key[0], key[1], status))

    def _forget(self, key: Key) -> None:
        self._busy.pop(key, None)
        self._adopted.pop(key, None)
        self._done.pop(key, None)


def _key(handle: Handle) -> Key:
    return str(handle["job_id"]), int(handle["attempt"])


def _marks(key: Key) -> list[bytes]:
    return [f"CUMULUS_JOB_ID={key[0]}".encode(), f"CUMULUS_ATTEMPT={key[1]}".encode()]
