"""One line under the cell that says what the job is doing, for jobs that take a while.

It appears after half a second, is repainted at most four times a second, and ends as one quiet line.
A notebook's line that would stand in the middle of output appears only where it has more to say than
the output itself. In a terminal it is erased before anything else is printed.
"""

from __future__ import annotations

import html
import os
import sys
import time
from typing import Any

from ..protocol.events import Progress, State, Usage
from ..protocol.jobs import (
    CANCELLED,
    COMPLETED,
    CREATING_PARTITION,
    END_STATES,
    FAILED,
    QUEUED,
    RUNNING,
    SCHEDULING,
    DeviceView,
)
from ..protocol.shares import share_words, short_share_words

APPEARS_AFTER_S = 0.5
REPAINT_S = 0.25
#: A relay that is away for shorter than this is not worth a word.
AWAY_WORTH_SAYING_S = 1.0
_WORDS = {
    QUEUED: "queued",
    SCHEDULING: "starting",
    CREATING_PARTITION: "preparing the GPU share",
    RUNNING: "running",
    COMPLETED: "done",
    FAILED: "failed",
    CANCELLED: "cancelled",
}
_BAR_CELLS = 20


class StatusLine:
    """What is known of one job, as a line. ``shell`` is the IPython shell of the cell."""

    def __init__(self, shell: Any, name: str = "") -> None:
        self._shell = shell
        self._name = name
        self._began = time.monotonic()
        self._painted_at = 0.0
        self._painted = ""
        self._display_id = f"cumulus-{os.urandom(8).hex()}"
        self._terminal = not hasattr(shell, "kernel")
        self._state = State(QUEUED)
        self._progress: dict[str, Progress] = {}
        self._usage: Usage | None = None
        self._away_s: float | None = None
        self._note = ""
        #: True: the job has begun a line and not ended it; in a terminal ours would wipe it out.
        self.inside_line = False
        #: True: the job clears its output by itself, and would take the line with it.
        self._retired = False
        #: True: output came before the line did; among it, a line that says no more is only in the way.
        self._overtaken = False

    def take(self, event: Any) -> None:
        """Note an event."""
        if isinstance(event, State):
            self._state = event
        elif isinstance(event, Progress):
            self._progress.pop(event.id, None)
            if not event.finished:
                self._progress[event.id] = event
        elif isinstance(event, Usage):
            self._usage = event

    def away(self, seconds: float | None) -> None:
        """The relay has been away this long; ``None``: it is back."""
        self._away_s = seconds

    def say(self, note: str) -> None:
        """Say this instead of the state, from now on, and at once where the line is visible."""
        self._note = note
        if self._painted:
            self._paint()

    def next_tick_s(self) -> float:
        """How long until the line wants to be painted again."""
        now = time.monotonic()
        due = max(self._began + APPEARS_AFTER_S, self._painted_at + REPAINT_S)
        return max(0.01, due - now)

    def tick(self) -> None:
        """Paint where it is time to."""
        if not self._retired and self.next_tick_s() <= 0.01:
            self._painted_at = time.monotonic()
            self._paint()

    def erase(self) -> None:
        """Make room for output, where the line is in the way of it."""
        self._overtaken = self._overtaken or not self._painted
        if self._terminal and self._painted:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._painted = ""

    def retire(self) -> None:
        """Do not come back: the output was cleared, and the line with it."""
        self.erase()
        self._retired = True
        self._painted = ""

    def end(self) -> None:
        """Leave one quiet line where the line was visible."""
        if self._state.state in END_STATES:
            self._note = ""
        self._away_s = None
        self._progress.clear()
        if self._terminal:
            self.erase()
        elif self._painted:
            self._paint(quiet=True)

    def text(self) -> str:
        """The line."""
        seconds = time.monotonic() - self._began
        parts = [self._name] if self._name else []
        parts += [self._doing(), _clock(seconds)]
        if self._state.worker and self._state.state != QUEUED:
            parts.append(f"on {self._state.worker}")
        if self._state.devices:
            parts.append(short_share_words(self._devices(), self._state.enforced_by))
        if self._state.state == RUNNING and self._usage and self._usage.memory_bytes:
            parts.append(f"{self._usage.memory_bytes / 2**20:.0f} MiB")
        parts += [_bar(progress) for progress in list(self._progress.values())[-1:]]
        return " · ".join(parts)

    def _devices(self) -> list[DeviceView]:
        names = ("id", "name", "used_tenths", "simulated")
        found = ({name: device[name] for name in names if name in device} for device in self._state.devices)
        return [DeviceView(**{"id": "", "name": "", **device}) for device in found]

    def _doing(self) -> str:
        if self._note:
            return self._note
        if self._away_s is not None and self._away_s >= AWAY_WORTH_SAYING_S:
            return f"the relay has been away for {self._away_s:.0f} s, trying again"
        word = _WORDS.get(self._state.state, self._state.state.lower())
        if self._state.state == QUEUED and self._state.position:
            word += f", place {self._state.position}"
        held = share_words(self._devices(), self._state.enforced_by)  # shown in its own place
        if self._state.message not in ("", held) and self._state.state in (SCHEDULING, CREATING_PARTITION):
            word = self._state.message
        elif self._state.message and self._state.state == QUEUED:
            word += f": {self._state.message}"
        return word

    def _has_news(self) -> bool:
        away = self._away_s is not None and self._away_s >= AWAY_WORTH_SAYING_S
        return bool(self._note or self._progress or away)

    def _paint(self, quiet: bool = False) -> None:
        line = self.text()
        if line == self._painted and not quiet:
            return
        if self._terminal:
            if sys.stderr.isatty() and not self.inside_line:
                sys.stderr.write(f"\r\x1b[2K\x1b[2m{line[: _columns()]}\x1b[0m")
                sys.stderr.flush()
                self._painted = line
            return
        if self._overtaken and not self._painted and not self._has_news():
            return
        opacity = "0.5" if quiet else "0.8"
        data = {
            "text/plain": f"[{line}]",
            "text/html": f'<small style="opacity:{opacity}">{html.escape(line)}</small>',
        }
        self._shell.display_pub.publish(
            data, {}, transient={"display_id": self._display_id}, update=bool(self._painted)
        )
        self._painted = line


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(progress: Progress) -> str:
    label = progress.label or progress.id
    if not progress.total:
        return f"{label} {progress.done:g} {progress.unit}".rstrip()
    share = min(1.0, progress.done / progress.total)
    filled = round(share * _BAR_CELLS)
    return f"{label} {'█' * filled}{'░' * (_BAR_CELLS - filled)} {share:.0%}"


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns - 1
