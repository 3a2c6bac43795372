"""What a cell shows while its job runs: the job's output, and what is known of it where people look on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

from ..protocol.events import ClearOutput, Display, Event, Log, UpdateDisplay
from ..protocol.jobs import JobView
from .facts import JobFacts
from .plain import PlainView
from .status import StatusLine

if TYPE_CHECKING:
    from .card import JobReach

_OUTPUT = (Log, Display, UpdateDisplay, ClearOutput)


class View(Protocol):
    """Shows one job in one cell, or in a script's output."""

    def reached(self, reach: JobReach) -> None:
        """The relay has the job."""

    def show(self, event: Event, seq: int = 0) -> None:
        """Show one event; ``seq`` is its number."""

    def settle(self) -> None:
        """All that has come was shown; what follows is a wait."""

    def next_tick_s(self) -> float | None:
        """How long to wait for events at most; ``None``: as long as it takes."""

    def tick(self) -> None:
        """Time has passed."""

    def away(self, seconds: float | None) -> None:
        """The relay has been away this long; ``None``: it is back."""

    def say(self, note: str) -> None:
        """Say this instead of the job's state, where that is shown."""

    def leave(self) -> None:
        """The kernel is ending, and the job goes on: what shows it without a kernel shall stay."""

    def end(self) -> None:
        """The job has ended, or is no longer followed."""


class TextView:
    """Prints a job's output. ``status`` is ``None`` in plain mode, and a line in a terminal."""

    def __init__(self, plain: PlainView, facts: JobFacts, status: StatusLine | None) -> None:
        self._plain = plain
        self._facts = facts
        self._status = status

    def reached(self, reach: JobReach) -> None:
        """The relay has the job."""

    def show(self, event: Event, seq: int = 0) -> None:
        """Show one event."""
        if self._status is not None:
            if isinstance(event, _OUTPUT):
                self._status.erase()
            if isinstance(event, Log):
                self._status.inside_line = not event.text.endswith("\n")
            self._facts.take(event)
        self._plain.show(event)

    def settle(self) -> None:
        """All that has come was shown; what follows is a wait."""
        self._plain.flush()
        self.tick()

    def next_tick_s(self) -> float | None:
        """How long to wait for events at most; ``None``: as long as it takes."""
        return None if self._status is None else self._status.next_tick_s()

    def tick(self) -> None:
        """Time has passed."""
        if self._status is not None:
            self._status.tick()

    def away(self, seconds: float | None) -> None:
        """The relay has been away this long; ``None``: it is back."""
        self._facts.away(seconds)
        self.tick()

    def say(self, note: str) -> None:
        """Say this in the status line."""
        self._facts.say(note)
        if self._status is not None:
            self._status.repaint()

    def leave(self) -> None:
        """The kernel is ending, and the job goes on."""

    def end(self) -> None:
        """The job has ended, or is no longer followed."""
        if self._status is not None:
            self._status.erase()
        self._plain.flush()


def make_view(
    shell: Any,
    mode: str,
    *,
    name: str = "",
    quiet: bool = False,
    prefix: str = "",
    duration_s: int = 0,
    seen: JobView | None = None,
    limit: tuple[int, int] | None = None,
) -> View:
    """The view for this cell. ``mode``: ``plain``, ``live``, or ``auto`` for what the frontend is.

    ``seen``: what the relay says of a job that was submitted before. ``limit``: lines and KiB of printed
    text that a notebook's cell takes.
    """
    live = not quiet and is_live(shell, mode)
    facts = JobFacts(name, duration_s=duration_s, seen=seen)
    if live and hasattr(shell, "kernel"):
        from .notebook_view import NotebookView
        from .output_limit import OutputLimit

        return NotebookView(shell, facts, OutputLimit(*limit or ()), prefix=prefix)
    plain = PlainView(shell, quiet=quiet, prefix=prefix)
    return TextView(plain, facts, StatusLine(facts) if live else None)


def tell_detached(shell: Any, mode: str, job: tuple[str, str], handle: str) -> None:
    """Say of a job, its id and its name, that it goes on alone; where nobody looks on, say nothing."""
    if is_live(shell, mode):
        from .static import detached_bundle

        shell.display_pub.publish(detached_bundle(*job, handle), {}, update=False)


def is_live(shell: Any, mode: str) -> bool:
    """True: more is shown than a job's own output."""
    return mode == "live" or (mode == "auto" and is_watched(shell))


def is_watched(shell: Any) -> bool:
    """True: a person looks on. False for nbval, nbconvert, papermill, and scripts fed to IPython.

    A frontend with a person before it lets the kernel ask for input; what runs notebooks does not.
    """
    if shell is None:
        return False
    if hasattr(shell, "kernel"):
        try:
            return bool(shell.get_parent()["content"]["allow_stdin"])
        except Exception:
            return False
    # A dumb terminal can take nothing back that was painted.
    dumb = os.environ.get("TERM") == "dumb"
    return not dumb and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
