"""One job in a process of its own, as in a container: the way there is as short as it can be.

The child is forked first of all. While it imports what a job needs, this process sends the claim, and while
the relay answers, it imports what it takes to report. Nothing is prepared for a second job.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, NoReturn, Optional

from . import claim
from .descriptors import Ends, close_all_but, pipes, take_places
from .wire import assignment_from_wire

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment

    from .environment import Environments
    from .job import JobRun

#: Exit status where the relay does not have the outcome: it wants no more of this attempt.
UNREPORTED = 75


def run(path: str) -> NoReturn:
    """Run the assignment in a file, which is removed where that can be: it holds a token. Does not return."""
    with open(path, "rb") as file:
        assignment = assignment_from_wire(json.loads(file.read()))
    try:
        os.unlink(path)
    except OSError:
        pass
    os.makedirs(assignment.workdir, exist_ok=True)
    session_key = claim.new_session_key()
    reading, writing = pipes()
    commands = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(commands[0], writing)
    for fd in (*writing, commands[0]):
        os.close(fd)
    claimed_by = claim.send_claim(assignment, session_key)
    status = _Runner(assignment, session_key, claimed_by, pid, commands[1], reading).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class _CommandPipe:
    """The supervisor's end of the pipe that commands go through."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        os.close(self._fd)


class _Runner:
    """Supervises the one child."""

    def __init__(
        self, assignment: Assignment, session_key: str, claimed_by: int, pid: int, commands: int, ends: Ends
    ) -> None:
        import signal

        from . import native
        from .channel import Connections
        from .child import Child
        from .job import JobRun
        from .loop import Loop

        native.load()
        native.adopt_orphans()
        self._loop = Loop()
        self._connections = Connections(self._loop)
        self._watched: Dict[int, Callable[[int], None]] = {}
        child = Child(pid, _CommandPipe(commands), *ends)
        self._job: JobRun = JobRun(
            self._loop, self._connections, self._environments, child, assignment, _nothing, session_key
        )
        self._child: Optional[int] = pid
        if claimed_by >= 0:
            self._job.channel.begun(claimed_by)
        self._loop.on_signal(signal.SIGCHLD, self._reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, self._job.cancel)

    def run(self) -> int:
        """The exit status."""
        from .loop import report_failure, spawn

        async def work() -> None:
            try:
                await self._job.run()
            finally:
                self._loop.stop()

        # Begun from within the loop, so that a job that is over at once stops a loop that runs.
        self._loop.after(0, lambda: report_failure(spawn(work()), "running the job"))
        self._loop.after(0, self._reap)  # It may have died before anybody listened.
        self._loop.run()
        return 0 if self._job.reported else UNREPORTED

    def _environments(self) -> Environments:
        from .environment import Environments

        return Environments(self._loop, self._watched)

    def _reap(self) -> None:
        dead: Dict[int, int] = {}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            dead[pid] = status
        if not dead:
            return
        ours = self._child
        if ours in dead:
            from .processes import end_strays

            end_strays(self._watched)  # Orphans of the job, which are this process's children now.
        for pid, status in dead.items():
            if pid == ours:
                self._child = None
                self._job.child_died(status)
            told = self._watched.pop(pid, None)
            if told is not None:
                told(status)


def _nothing() -> None:
    """No second job is prepared."""


def _be_child(commands: int, writing: Ends) -> NoReturn:
    status = 70
    try:
        os.setsid()
        frames, stdout, stderr = writing
        take_places(stdout, stderr)
        close_all_but((commands, frames))
        status = _live(commands, frames)
    except EOFError:
        status = 0
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(status)


def _live(commands: int, frames: int) -> int:
    from .child import Commands
    from .interpreter import settle_in
    from .light_shell import shell_for
    from .limits import keep_own_variables
    from .program_run import run as run_program
    from .streams import Console

    keep_own_variables()
    console = Console()
    settle_in(console)

    def receive(size: int) -> bytes:
        return os.read(commands, size)

    console.open(frames)
    answer: Any = run_program(Commands(receive), console, lambda program: shell_for(console, program))
    return int(answer)
