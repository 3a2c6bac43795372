"""Takes assignments from an executor's socket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, List, Mapping

from .line import Line
from .loop import report_failure, spawn
from .outcomes import say
from .supervisor import Supervisor
from .wire import assignment_from_wire

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment


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
        self._waiting.append(assignment_from_wire(message))
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
