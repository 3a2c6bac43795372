"""Where assignments come from: an executor's socket, or one file."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any, List, Mapping

from cumulus_jupyter.protocol.channel import Assignment

from .loop import report_failure, spawn
from .outcomes import say
from .supervisor import Supervisor


def assignment_from_json(text: bytes) -> Assignment:
    """The assignment a JSON object stands for; unknown fields are passed over."""
    body = json.loads(text)
    names = Assignment.__dataclass_fields__
    return Assignment(**{key: value for key, value in body.items() if key in names})


class Server:
    """Takes assignments from a socket, one JSON object a line, and runs them one at a time.

    It answers ``{"ready": pid}`` once, and ``{"done": job_id, "attempt": n}`` after each. When the
    other side hangs up, it finishes the job that runs and returns.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._socket.setblocking(True)
        self._rest = b""
        self._waiting: List[Assignment] = []
        self._busy = False
        self._hung_up = False
        self._supervisor = Supervisor()

    def serve(self) -> None:
        """Run jobs until the other side hangs up or SIGTERM comes."""
        report_failure(spawn(self._begin()), "starting")
        self._supervisor.loop.run()
        self._supervisor.close()

    async def _begin(self) -> None:
        await self._supervisor.ready()
        self._supervisor.loop.watch(self._socket.fileno(), self._readable)
        self._tell({"ready": os.getpid()})

    def _tell(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _readable(self) -> None:
        try:
            data = self._socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._supervisor.loop.forget(self._socket.fileno())
            self._hung_up = True
            if not self._busy:
                self._supervisor.loop.stop()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._waiting.extend(assignment_from_json(line) for line in lines if line.strip())
        if self._waiting and not self._busy:
            report_failure(spawn(self._work()), "running a job")

    async def _work(self) -> None:
        self._busy = True
        try:
            while self._waiting and not self._supervisor.stopping:
                assignment = self._waiting.pop(0)
                try:
                    await self._supervisor.run(assignment)
                except Exception as error:
                    say(f"job {assignment.job_id} could not be run: {error!r}")
                self._tell({"done": assignment.job_id, "attempt": assignment.attempt})
        finally:
            self._busy = False
            if self._hung_up or self._supervisor.stopping:
                self._supervisor.loop.stop()


def run_one(path: str) -> None:
    """Run the assignment in a file, which is removed: it holds a token."""
    with open(path, "rb") as file:
        assignment = assignment_from_json(file.read())
    with contextlib.suppress(OSError):
        os.unlink(path)
    supervisor = Supervisor()

    async def work() -> None:
        try:
            await supervisor.run(assignment)
        finally:
            supervisor.loop.stop()

    # Begun from within the loop, so that a job that is over at once stops a loop that runs.
    supervisor.loop.after(0, lambda: report_failure(spawn(work()), "running the job"))
    supervisor.loop.run()
    supervisor.close()
