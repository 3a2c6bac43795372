"""The process that stays: takes jobs, has each run in a child that was forked before it came."""

from __future__ import annotations

import os
import signal
from typing import Callable, Dict, Optional

from cumulus_jupyter.protocol.channel import Assignment

from . import zygote
from .channel import Connections
from .environment import Environments
from .job import JobRun
from .loop import Loop
from .nursery import Nursery


class Supervisor:
    """Runs jobs one after another. It never runs a job's code itself, nor forks: the nursery does."""

    def __init__(self) -> None:
        connection = zygote.start()
        self.loop = Loop()
        self._nursery = Nursery(self.loop, connection, self._end)
        #: To the relay.
        self.connections = Connections(self.loop)
        self._watched: Dict[int, Callable[[int], None]] = {}
        self._environments = Environments(self.loop, self._watched)
        self._job: Optional[JobRun] = None
        self.loop.on_signal(signal.SIGCHLD, self._reap)
        self.loop.on_signal(signal.SIGTERM, self._terminate)
        self.loop.on_signal(signal.SIGINT, self._terminate)
        #: True: no further job is wanted.
        self.stopping = False

    async def ready(self) -> None:
        """Wait until a child is ready. Raises ``NurseryLost``."""
        await self._nursery.ready()

    async def run(self, assignment: Assignment) -> None:
        """Run one job to its end. Raises ``NurseryLost``."""
        child = await self._nursery.take()
        job = self._job = JobRun(
            self.loop, self.connections, lambda: self._environments, child, assignment, self._next
        )
        self._nursery.on_death(child, job.child_died)
        try:
            await job.run()
        finally:
            self._job = None

    def _next(self) -> None:
        if not self.stopping:
            self._nursery.prepare()

    def _terminate(self) -> None:
        """Cancel the job that runs, if any; end."""
        if self._job is not None:
            self._job.cancel()
        self._end()

    def _end(self) -> None:
        """Take no further job."""
        self.stopping = True
        if self._job is None:
            self.loop.stop()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            told = self._watched.pop(pid, None)
            if told is not None:
                told(status)

    def close(self) -> None:
        """Let the child that waits end, hang up."""
        self.stopping = True
        self.connections.close()
        self._nursery.close()
        self.loop.close()
