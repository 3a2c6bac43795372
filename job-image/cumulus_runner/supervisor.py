"""The process that stays: keeps one child ready, gives it a job, replaces it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Callable, Dict, Optional

from cumulus_jupyter.protocol.channel import Assignment

from . import native
from .channel import Connections
from .environment import Environments
from .interpreter import Interpreter
from .job import JobRun
from .loop import Loop
from .nursery import Child, fork
from .processes import kill_strays


class Supervisor:
    """Runs jobs one after another, each in a child that was forked before the job came.

    It has no threads and never runs a job's code itself.
    """

    def __init__(self) -> None:
        self.loop = Loop()
        self._interpreter = Interpreter()
        self._connections = Connections(self.loop)
        self._watched: Dict[int, Callable[[int], None]] = {}
        self._environments = Environments(self.loop, self._watched)
        self._ready: Optional[Child] = None
        self._job: Optional[JobRun] = None
        native.adopt_orphans()
        self.loop.on_signal(signal.SIGCHLD, self._reap)
        self.loop.on_signal(signal.SIGTERM, self._terminate)
        self.loop.on_signal(signal.SIGINT, self._terminate)
        self.stopping = False
        self._interpreter.settle()
        self.prepare()

    def prepare(self) -> None:
        """Have a child ready for the next job."""
        if self._ready is None and not self.stopping:
            child = self._ready = fork(self._interpreter)
            self._watched[child.pid] = lambda status: self._ready_died(child)

    def _ready_died(self, child: Child) -> None:
        if self._ready is child:
            child.close()
            self._ready = None

    async def run(self, assignment: Assignment) -> None:
        """Run one job to its end."""
        self.prepare()
        child, self._ready = self._ready, None
        assert child is not None
        job = self._job = JobRun(
            self.loop, self._connections, self._environments, child, assignment, self.prepare
        )
        self._watched[child.pid] = job.child_died
        try:
            await job.run()
        finally:
            self._job = None
            self._kill_strays()

    def _kill_strays(self) -> None:
        kill_strays(self._watched)

    def _terminate(self) -> None:
        """Cancel the job that runs, if any; end."""
        self.stopping = True
        if self._job is not None:
            self._job.cancel()
        else:
            self.loop.stop()

    def _reap(self) -> None:
        stray = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            told = self._watched.pop(pid, None)
            if told is not None:
                told(status)
            else:
                stray = True
        if stray and self._job is None:
            self._kill_strays()

    def close(self) -> None:
        """End the child that waits, hang up."""
        self.stopping = True
        self._connections.close()
        if self._ready is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._ready.pid, signal.SIGKILL)
            self._ready.close()
            self._ready = None
