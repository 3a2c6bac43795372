"""Runner processes kept ready, so that an interpreter's start is not in a job's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from ..base import InstanceStatus, StartFailed
from .interpreters import Interpreter
from .runner_process import Answers, Key, RunnerProcess

log = logging.getLogger(__name__)

#: Seconds a fresh interpreter has to get ready.
READY_TIMEOUT_S = 60.0
#: Seconds after which runners that were needed in a rush are let go.
LINGER_S = 30.0


class RunnerPool:
    """Idle and starting runners by interpreter. ``warm`` of each are kept; more while they are in use."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        *,
        warm: int,
        on_done: Callable[[Key], None],
        on_exit: Callable[[Key, InstanceStatus], None],
        answers: Answers | None = None,
    ) -> None:
        self._answers = answers
        self._folder = folder
        self._env = env
        self._warm = warm
        self._job_done = on_done
        self._job_exit = on_exit
        self._idle: dict[str, list[RunnerProcess]] = {}
        self._starting: dict[str, set[RunnerProcess]] = {}
        self._waiting: dict[str, list[asyncio.Future[RunnerProcess]]] = {}
        self._all: set[RunnerProcess] = set()
        self._shrink: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._number = 0
        self._closed = False

    def fill(self, interpreter: Interpreter, idle: int) -> None:
        """Start as many runners as are missing to ``idle`` ready ones beyond those waited for."""
        path = interpreter.path
        wanted = idle + len(self._waiting.get(path, ()))
        coming = len(self._idle.get(path, ())) + len(self._starting.get(path, ()))
        for _ in range(wanted - coming):
            if self._closed or self._failures.get(path, 0) >= 3:
                return
            self._spawn(interpreter)

    async def take(self, interpreter: Interpreter) -> RunnerProcess:
        """An idle runner, waiting for one where none is. Raises ``StartFailed``."""
        path = interpreter.path
        idle = self._idle.get(path)
        while idle:
            runner = idle.pop()
            if runner.exited is None:
                asyncio.get_running_loop().call_soon(self.fill, interpreter, 1)
                return runner
        self._failures.pop(path, None)
        future: asyncio.Future[RunnerProcess] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(path, []).append(future)
        self.fill(interpreter, 1)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                return await future
        except (TimeoutError, asyncio.CancelledError) as error:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._offer(future.result())  # it got ready in the same moment
            if isinstance(error, asyncio.CancelledError):
                raise
            raise StartFailed(f"No runner got ready within {READY_TIMEOUT_S:g} s.") from None
        finally:
            if future in self._waiting.get(path, ()):
                self._waiting[path].remove(future)

    def close(self) -> None:
        """Let every runner go: idle ones exit, busy ones finish first."""
        self._closed = True
        for timer in self._shrink.values():
            timer.cancel()
        for futures in self._waiting.values():
            for future in futures:
                future.cancel()
        for runner in self._all:
            runner.abandon()
        self._all.clear()

    def runners(self) -> list[RunnerProcess]:
        """All of them, busy ones too."""
        return list(self._all)

    def _spawn(self, interpreter: Interpreter) -> None:
        self._number += 1
        try:
            log_path = self._folder / f"runner-{self._number}.log"
            runner = RunnerProcess(interpreter, self._env, log_path, self, self._answers)
        except StartFailed as error:
            self._fail(interpreter, error)
            return
        self._all.add(runner)
        self._starting.setdefault(interpreter.path, set()).add(runner)
        loop = asyncio.get_running_loop()
        loop.call_later(READY_TIMEOUT_S, lambda: None if runner.is_ready else runner.kill())

    def runner_ready(self, runner: RunnerProcess) -> None:
        """It joins those that wait for a job."""
        self._offer(runner)

    def _offer(self, runner: RunnerProcess) -> None:
        path = runner.interpreter.path
        self._starting.get(path, set()).discard(runner)
        self._failures.pop(path, None)
        waiting = self._waiting.get(path, [])
        while waiting:
            future = waiting.pop(0)
            if not future.done():
                future.set_result(runner)
                return
        idle = self._idle.setdefault(path, [])
        idle.append(runner)
        if len(idle) > self._warm and path not in self._shrink:
            loop = asyncio.get_running_loop()
            self._shrink[path] = loop.call_later(LINGER_S, self._let_go_of_surplus, path)

    def _let_go_of_surplus(self, path: str) -> None:
        self._shrink.pop(path, None)
        idle = self._idle.get(path, [])
        while len(idle) > self._warm:
            idle.pop(0).let_go()

    def runner_done(self, runner: RunnerProcess, key: Key) -> None:
        """It is used again."""
        if not self._closed:
            self._offer(runner)
        self._job_done(key)

    def runner_exited(self, runner: RunnerProcess, status: InstanceStatus) -> None:
        """Another takes its place."""
        self._all.discard(runner)
        path = runner.interpreter.path
        starting = runner in self._starting.get(path, set())
        self._starting.get(path, set()).discard(runner)
        if runner in self._idle.get(path, []):
            self._idle[path].remove(runner)
        if starting:
            self._fail(runner.interpreter, StartFailed(f"The runner could not start: {status.message}"))
        if not self._closed:
            self.fill(runner.interpreter, 1)
        if runner.job is not None:
            self._job_exit(runner.job, status)

    def _fail(self, interpreter: Interpreter, error: StartFailed) -> None:
        path = interpreter.path
        self._failures[path] = self._failures.get(path, 0) + 1
        log.error("%s", error)
        if self._failures[path] >= 3:
            for future in self._waiting.pop(path, []):
                if not future.done():
                    future.set_exception(error)
