"""What a cell shows while its job runs: the job's output, and the status line where people look on."""

from __future__ import annotations

from typing import Any

from ..protocol.events import ClearOutput, Display, Event, Log, UpdateDisplay
from .plain import PlainView
from .status import StatusLine

_OUTPUT = (Log, Display, UpdateDisplay, ClearOutput)


class CellView:
    """Shows one job in one cell. ``status`` is ``None`` in plain mode."""

    def __init__(self, plain: PlainView, status: StatusLine | None) -> None:
        self._plain = plain
        self._status = status

    def show(self, event: Event) -> None:
        """Show one event."""
        if self._status is not None:
            if isinstance(event, _OUTPUT):
                self._status.erase()
            if isinstance(event, Log):
                self._status.inside_line = not event.text.endswith("\n")
            if isinstance(event, ClearOutput):
                self._status.retire()
            self._status.take(event)
        self._plain.show(event)

    def settle(self) -> None:
        """All that has come was shown; what follows is a wait."""
        self._plain.flush()

    def next_tick_s(self) -> float | None:
        """How long to wait for events at most; ``None``: as long as it takes."""
        return None if self._status is None else self._status.next_tick_s()

    def tick(self) -> None:
        """Time has passed."""
        if self._status is not None:
            self._status.tick()

    def away(self, seconds: float | None) -> None:
        """The relay has been away this long; ``None``: it is back."""
        if self._status is not None:
            self._status.away(seconds)
            self._status.tick()

    def say(self, note: str) -> None:
        """Say this in the status line."""
        if self._status is not None:
            self._status.say(note)

    def end(self) -> None:
        """The job has ended, or is no longer followed."""
        if self._status is not None:
            self._status.end()
        self._plain.flush()


def make_view(shell: Any, mode: str, *, name: str = "", quiet: bool = False, prefix: str = "") -> CellView:
    """The view for this cell. ``mode``: ``plain``, ``live``, or ``auto`` for what the frontend is."""
    live = not quiet and (mode == "live" or (mode == "auto" and is_watched(shell)))
    plain = PlainView(shell, quiet=quiet, prefix=prefix)
    return CellView(plain, StatusLine(shell, name) if live else None)


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
    import sys

    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
