"""One attempt of one job, from its assignment to the relay's last acknowledgement."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

from . import outcomes
from .channel import Connections, Fenced, Refused, RelayChannel, Unwritable
from .child import CLAIMED, GO, PLACE, REPLY, Child
from .control import ControlStream
from .http import Disconnected
from .loop import Future, Loop, Timer, report_failure, spawn
from .outbox import Outbox, Upload
from .output import Output
from .reporter import Reporter
from .usage import UsageReports

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment

    from .container import KillCounter
    from .environment import Environments

_CONTROL_AFTER_S = 0.05


class JobRun:
    """Takes a job through claim, preparation, run and report.

    ``sent`` is called when the last report is on its way and the child is not needed any more: the
    time to prepare the next one.
    """

    def __init__(
        self,
        loop: Loop,
        connections: Connections,
        environments: Callable[[], Environments],
        child: Child,
        assignment: Assignment,
        sent: Callable[[], None],
        session_key: str = "",
    ) -> None:
        self._loop = loop
        self._child = child
        self._assignment = assignment
        self._sent = sent
        self._environments = environments
        #: To the relay.
        self.channel = self._channel = RelayChannel(connections, assignment, session_key)
        self._kills: Optional[KillCounter] = None
        self._control = ControlStream(loop, self._channel, self.cancel)
        self._outbox = Outbox()
        self._output = Output(loop, child, self._outbox, self._on_note, self._on_output)
        self._reporter = Reporter(
            loop, self._channel, self._outbox, self._output.resume, self.cancel, self._lost
        )
        self._scratch = os.path.join(os.path.dirname(assignment.workdir.rstrip("/")), "scratch")
        self._numbers = itertools.count()
        self._timers: List[Timer] = []
        self._usage: Optional[UsageReports] = None
        self._duration_s = 0.0
        #: True: the relay has the outcome.
        self.reported = False
        self._running = False
        self._cancelled = False
        self._out_of_time = False
        self._ended: Future[None] = Future()
        self._reaped: Future[None] = Future()

    async def run(self) -> None:
        """All of it; returns when nothing is left to do."""
        assignment = self._assignment
        os.makedirs(assignment.workdir, exist_ok=True)
        self._child.send_json(
            PLACE,
            {
                "workdir": assignment.workdir,
                "env": assignment.env,
                "memory_mib": assignment.memory_mib,
                "cpu": assignment.cpu,
                "contained": assignment.contained,
                "gpu_fraction": assignment.gpu_fraction,
                "gpu_memory_mib": assignment.gpu_memory_mib,
            },
        )
        if assignment.contained:
            from .container import KillCounter

            self._kills = KillCounter()
        else:
            from .runner_file import write_runner_file

            write_runner_file(assignment, self._child.pid)
        try:
            claimed = await self._channel.claim()
            self._child.send(CLAIMED, claimed)
            self._output.watch()
            await self._start(json.loads(claimed))
            await self._reporter.delivered
            self.reported = True
        except (Fenced, Refused, Disconnected) as problem:
            outcomes.say(f"job {assignment.job_id}: {problem}")
        finally:
            self._stop_everything()
        await self._reaped
        if assignment.contained:
            return  # All of it goes with the container.
        from .runner_file import remove_runner_file

        for folder in (self._scratch, assignment.workdir):
            _remove(folder)
        remove_runner_file(assignment)

    async def _start(self, claimed: Mapping[str, Any]) -> None:
        """Fetch what the program needs, then let it run."""
        self._duration_s = float(claimed["duration_s"])
        if claimed.get("cancel_requested"):
            self.cancel()
        self._timers.append(self._loop.after(self._duration_s, self._time_is_up))
        self._timers.append(self._loop.after(_CONTROL_AFTER_S, self._control.open))
        go: Dict[str, Any] = {"scratch": self._scratch, "bundle": "", "environment": ""}
        if claimed.get("bundle_bytes") and not self._ended.done:
            go["bundle"] = await self._fetch_bundle()
        if claimed.get("requirements") and not self._ended.done:
            go["environment"] = await self._install(claimed)
        if self._ended.done:
            return
        self._running = True
        self._reporter.began_s = time.monotonic()
        self._child.send_json(GO, go)
        self._usage = UsageReports(self._loop, self._child.pid, self._assignment, self._reporter.say)

    async def _fetch_bundle(self) -> str:
        """The path of the job's bundle; ends the job where there is no room for it."""
        path = os.path.join(self._scratch, "bundle.zip")
        try:
            os.makedirs(self._scratch, exist_ok=True)
            await self._channel.fetch_bundle(path)
        except (OSError, Unwritable) as problem:
            self._end(self._verdict(outcomes.no_room(str(problem))))
        return path

    async def _install(self, claimed: Mapping[str, Any]) -> str:
        """The path of an environment with the requirements; ends the job where there is none."""
        from .environment import Places, RequirementsFailed

        assignment = self._assignment
        places = Places(assignment.environments_dir, "", assignment.env, claimed.get("env") or {})
        if assignment.contained:
            places.private = os.path.join(os.path.dirname(self._scratch), "environments")
        try:
            return await self._environments().provide(
                claimed["requirements"], places, self._reporter.say, self._ended
            )
        except RequirementsFailed as error:
            if not self._ended.done:
                self._reporter.say(outcomes.error_event("RequirementsError", str(error)))
                self._end(outcomes.failed(str(error), "INVALID_ARGUMENT", error.next))
            return ""

    def cancel(self) -> None:
        """Somebody wants the job to end. Asking twice changes nothing."""
        if self._cancelled or self._ended.done:
            return
        self._cancelled = True
        self._interrupt()

    def _time_is_up(self) -> None:
        if not self._ended.done:
            self._out_of_time = True
            self._interrupt()

    def _interrupt(self) -> None:
        if not self._running:
            self._end(self._verdict({"state": "FAILED"}))
            return
        self._child.signal_group(signal.SIGINT)
        self._timers.append(self._loop.after(self._assignment.grace_s, self._kill))

    def _kill(self) -> None:
        if not self._reaped.done:
            self._child.signal_group(signal.SIGKILL)

    def _verdict(self, outcome: Dict[str, Any]) -> Dict[str, Any]:
        """The outcome, given that the end may have been asked for."""
        if self._cancelled:
            return outcomes.cancelled()
        if self._out_of_time and outcome["state"] != "COMPLETED":
            return outcomes.out_of_time(self._duration_s)
        return outcome

    def child_died(self, status: int) -> None:
        """The child's process is gone; called once it has been reaped."""
        self._reaped.set(None)
        if not self._ended.done and not self._child.closed:
            self._output.drain_to_end()
            if not self._ended.done:
                self._end_of_dead_child(status)

    def _end_of_dead_child(self, status: int) -> None:
        limit_mib, killed, shared_mib = self._assignment.memory_mib, None, None
        if self._assignment.contained:
            from .container import memory_limit_mib, shared_memory_mib

            limit_mib = memory_limit_mib() or limit_mib
            killed = self._kills.has_killed() if self._kills is not None else None
            shared_mib = shared_memory_mib()
        outcome = self._verdict(outcomes.of_dead_child(status, limit_mib, killed, shared_mib))
        if self._running and outcome["state"] == "FAILED":
            self._reporter.say(outcomes.error_event("JobDied", outcome["message"]))
        self._end(outcome)

    def _on_note(self, note: Mapping[str, Any]) -> None:
        kind = note["note"]
        if kind == "end":
            self._end(self._verdict(outcomes.of_status(note["status"], self._output.last_error)))
        elif kind == "store":
            self._outbox.upload(Upload(note["name"], note["path"]))
        elif kind == "fetch":
            report_failure(spawn(self._fetch(note["job_id"], note["name"])), "fetching a value")

    async def _fetch(self, job_id: str, name: str) -> None:
        from urllib.parse import quote

        path, reason = os.path.join(self._scratch, f"remote-{next(self._numbers)}"), ""
        try:
            os.makedirs(self._scratch, exist_ok=True)
            await self._channel.download(f"values/{quote(job_id)}/{quote(name, safe='@')}", path)
        except (Fenced, Refused, Disconnected, Unwritable, OSError) as error:
            path, reason = "", str(error)
        self._child.send_json(REPLY, {"path": path, "reason": reason})

    def _on_output(self) -> None:
        self._reporter.held = self._output.finishing
        self._reporter.something_waits()

    def _end(self, outcome: Dict[str, Any]) -> None:
        """The program has ended, or will not begin; report it and prepare for the next."""
        if self._ended.done:
            return
        self._running = False
        self._stop_usage()
        self._output.close()
        if not self._output.has_result:
            self._outbox.say(outcomes.no_result())
        self._ended.set(None)
        self._reporter.finish(outcome)
        self._kill()
        self._sent()

    def _stop_usage(self) -> None:
        if self._usage is not None:
            self._usage.close()

    def _lost(self) -> None:
        """Nobody wants to know how it goes on."""
        self._running = False
        self._stop_usage()
        self._ended.set(None)
        self._kill()

    def _stop_everything(self) -> None:
        self._ended.set(None)
        self._stop_usage()
        for timer in self._timers:
            timer.cancel()
        self._control.close()
        self._reporter.stop_waiting()
        self._output.close()
        self._kill()
        self._child.close()
        self._sent()


def _remove(folder: str) -> None:
    """Remove a folder, which in most jobs is not there or has nothing in it."""
    import shutil

    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
