"""Where assignments come from: an executor's socket, or one file."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, List, Mapping

from cumulus_jupyter.protocol.channel import Assignment

from .line import Line
from .loop import report_failure, spawn
from .outcomes import say
from .supervisor import Supervisor


def assignment_from_json(text: bytes) -> Assignment:
    """The assignment a JSON object stands for; unknown fields are passed over."""
    return _assignment(json.loads(text))


def _assignment(body: Mapping[str, Any]) -> Assignment:
    names = Assignment.__dataclass_fields__
    return Assignment(**{key: value for key, value in body.items() if key in names})


class Server:
    """Takes assignments from a socket, one JSON object a line, and runs them one at a time.

    It answers ``{"ready": pid}`` once, and ``{"done": job_id, "attempt": n}`` after each. When the
    other side hangs up, it finishes the job that runs and returns.
    """

    def __init__(self, fd: int) -> None:
        self._waiting: List[Assignment] = []
        self._busy = False
        self._hung_up = False
        self._supervisor = Supervisor()
        self._line = Line(fd, self._supervisor.loop, self._assigned, self._other_side_gone)
        self._supervisor.connections.line = self._line

    def serve(self) -> None:
        """Run jobs until the other side hangs up or SIGTERM comes."""
        report_failure(spawn(self._begin()), "starting")
        self._supervisor.loop.run()
        self._supervisor.close()

    async def _begin(self) -> None:
        await self._supervisor.ready()
        self._line.listen()
        self._line.tell({"ready": os.getpid()})

    def _other_side_gone(self) -> None:
        self._hung_up = True
        if not self._busy:
            self._supervisor.loop.stop()

    def _assigned(self, message: Mapping[str, Any]) -> None:
        self._waiting.append(_assignment(message))
        if not self._busy:
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
                self._line.tell({"done": assignment.job_id, "attempt": assignment.attempt})
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
