"""One runner process of this relay, at the other end of a socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cumulus_jupyter.protocol.channel import Assignment

from ..base import InstanceStatus, StartFailed
from . import procfs
from .interpreters import Interpreter
from .line import Line

log = logging.getLogger(__name__)

_TAIL_BYTES = 4_000

#: (job id, attempt)
Key = tuple[str, int]


class Answers(Protocol):
    """The relay, as a runner asks it over its socket. It never raises."""

    async def __call__(self, route: str, token: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """HTTP's status, headers and body for one of ``protocol.channel.BY_LINE``."""


class Listener(Protocol):
    """Who is told what becomes of a runner."""

    def runner_ready(self, runner: RunnerProcess) -> None:
        """It can take its first assignment."""

    def runner_done(self, runner: RunnerProcess, key: Key) -> None:
        """It has finished an assignment and can take the next."""

    def runner_exited(self, runner: RunnerProcess, status: InstanceStatus) -> None:
        """The process has ended; ``runner.job`` is what it was busy with."""


class RunnerProcess:
    """A runner: starting, idle, or busy with one assignment."""

    def __init__(
        self,
        interpreter: Interpreter,
        env: Mapping[str, str],
        log_path: Path,
        listener: Listener,
        answers: Answers | None = None,
    ) -> None:
        self.interpreter = interpreter
        self.is_ready = False
        self.job: Key | None = None
        self.exited: InstanceStatus | None = None
        self._listener = listener
        self._answers = answers
        self._asking: set[asyncio.Task[None]] = set()
        self._log_path = log_path
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        ours, theirs = socket.socketpair()
        try:
            self._process = _spawn(interpreter, env, log_path, theirs)
        except OSError as error:
            ours.close()
            raise StartFailed(f"The runner could not be started: {error}") from error
        finally:
            theirs.close()
        found = procfs.stat(self._process.pid)
        self.ticks = found.ticks if found else 0
        self._line = Line(ours, self._take)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def assign(self, assignment: Assignment) -> None:
        """Hand it a job. Raises ``StartFailed`` where it cannot take it."""
        self.job = (assignment.job_id, assignment.attempt)
        try:
            self._line.send(vars(assignment))
        except OSError as error:
            self.job = None
            raise StartFailed(f"The runner went away: {error}") from error
        if self._line.stuck:  # an assignment is far below the socket's buffer; a full one means it hangs
            self.job = None
            self.kill()
            raise StartFailed("The runner does not take its assignment.")

    def ask_to_stop(self) -> None:
        """SIGTERM: it interrupts the job's code, then ends it after the assignment's grace."""
        if self.exited is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, to the runner alone."""
        if self.exited is None:
            self._process.kill()

    def let_go(self) -> None:
        """Close our end: an idle runner exits, a busy one finishes its job first."""
        self._line.close()

    def abandon(self) -> None:
        """Stop watching as well, since the relay is stopping."""
        self.let_go()
        for task in self._asking:
            task.cancel()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._process.poll() is None:
            self._process.returncode = 0  # it outlives us on purpose: no warning about a lost child

    async def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, waiting for that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        return self.exited is not None

    def last_words(self) -> str:
        """The end of what it wrote on its standard error."""
        try:
            text = self._log_path.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
        except OSError:
            return ""
        return text[text.find("\n") + 1 :] if len(text) >= _TAIL_BYTES else text

    def _take(self, message: Mapping[str, Any], body: bytes) -> None:
        if "ready" in message and not self.is_ready:
            self.is_ready = True
            self._listener.runner_ready(self)
        elif "done" in message:
            key = (str(message["done"]), int(message.get("attempt", 0)))
            if self.job == key:
                self.job = None
                self._listener.runner_done(self, key)
        elif "ask" in message and self._answers is not None:
            asking = self._answer(self._answers, message, body)
            task = self._loop.create_task(asking, name=f"answer runner {self.pid}")
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, answers: Answers, message: Mapping[str, Any], body: bytes) -> None:
        status, headers, answer = await answers(str(message["route"]), str(message["token"]), body)
        if not self._line.closed:
            with contextlib.suppress(OSError):  # it went away: whoever adopts it is asked again
                self._line.send({"answer": message["ask"], "status": status, "headers": headers}, answer)

    def _reap(self) -> None:
        code = self._process.poll()
        if code is None:
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        if not self._line.closed:
            self._line.read()  # a last "done" may have been on its way
        self.let_go()
        words = self.last_words()
        self.exited = InstanceStatus(False, code, _describe(code, words))
        self._log_path.unlink(missing_ok=True)
        self._ended.set()
        self._listener.runner_exited(self, self.exited)


def _spawn(
    interpreter: Interpreter, env: Mapping[str, str], log_path: Path, theirs: socket.socket
) -> subprocess.Popen[bytes]:
    fd = theirs.fileno()
    surroundings = dict(env)
    if interpreter.luggage:
        path = [interpreter.luggage, surroundings.get("PYTHONPATH", "")]
        surroundings["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    with open(log_path, "wb") as errors:
        return subprocess.Popen(
            [interpreter.path, "-m", "cumulus_runner", "--serve", str(fd)],
            cwd="/", env=surroundings, pass_fds=[fd], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
        )  # fmt: skip


def _describe(code: int, words: str) -> str:
    if code >= 0:
        how = f"the runner exited with status {code}"
    elif -code == signal.SIGKILL:
        how = "the runner was killed (SIGKILL: out of memory, or by hand)"
    else:
        how = f"the runner was ended by signal {-code}"
    return f"{how}: {words.splitlines()[-1]}" if words else how
