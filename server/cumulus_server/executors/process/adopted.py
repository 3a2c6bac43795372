"""Runners of an earlier relay process: not our children, no socket to them, only their pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import procfs
from .runner_process import Key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunnerNote:
    """What a runner writes into ``runner.json`` before it claims its job."""

    pid: int
    #: Start time of the process in clock ticks: with the pid, it names one process.
    ticks: int
    job_id: str
    attempt: int
    #: When it was written; a runner's newest note is the one that holds.
    written_ns: int

    @property
    def key(self) -> Key:
        """The attempt it is about."""
        return (self.job_id, self.attempt)

    @property
    def alive(self) -> bool:
        """Whether that runner still runs."""
        return procfs.is_alive(self.pid, self.ticks)


def read_note(folder: Path) -> RunnerNote | None:
    """The note in an attempt's folder; ``None`` where none can be read."""
    path = folder / "runner.json"
    try:
        body = json.loads(path.read_bytes())
        return RunnerNote(
            int(body["pid"]),
            int(body["start_ticks"]),
            str(body["job_id"]),
            int(body["attempt"]),
            path.stat().st_mtime_ns,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def live_notes(jobs: Path) -> dict[Key, RunnerNote]:
    """The notes of runners that still run, each runner's newest only: it has finished the others."""
    newest: dict[tuple[int, int], RunnerNote] = {}
    for folder in jobs.glob("*/*"):
        note = read_note(folder)
        if note is not None and note.alive:
            known = newest.get((note.pid, note.ticks))
            if known is None or known.written_ns < note.written_ns:
                newest[note.pid, note.ticks] = note
    return {note.key: note for note in newest.values()}


class AdoptedRunner:
    """Watches one such runner, and ends it where asked."""

    def __init__(self, note: RunnerNote, on_exit: Callable[[Key], None]) -> None:
        """Raises ``ProcessLookupError`` where it has ended."""
        self.note = note
        self._on_exit = on_exit
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(note.pid)
        if not note.alive:  # also where the pid belongs to somebody else by now
            os.close(self._pidfd)
            raise ProcessLookupError(note.pid)
        self._loop.add_reader(self._pidfd, self._exited)

    def ask_to_stop(self) -> None:
        """SIGTERM, as to a runner of our own."""
        procfs.send(self.note.pid, self.note.ticks, signal.SIGTERM)

    def close(self) -> None:
        """Stop watching."""
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    async def wait(self, timeout_s: float) -> None:
        """Wait for its end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()

    def _exited(self) -> None:
        self.close()
        self._ended.set()
        self._on_exit((self.note.job_id, self.note.attempt))
