"""What is known of one job, from its events: what the card, the status line and the last line say."""

from __future__ import annotations

import time
from typing import Any

from ..protocol.events import Error, Event, Log, Progress, State, Usage
from ..protocol.jobs import (
    CREATING_PARTITION,
    END_STATES,
    FAILED,
    QUEUED,
    RUNNING,
    SCHEDULING,
    DeviceView,
    JobView,
)
from ..protocol.shares import share_words, short_share_words
from .words import STATE_WORDS, about, bar, clock, memory

#: A relay that is away for shorter than this is not worth a word.
AWAY_WORTH_SAYING_S = 1.0
#: What is left is estimated only from this much of a bar's way.
_ESTIMATE_AFTER_S = 2.0
#: A wait this long is worth a word when the job has ended.
_WAIT_WORTH_SAYING_S = 10.0


def now_ms() -> int:
    """UTC epoch milliseconds."""
    return int(time.time() * 1000)


class JobFacts:
    """One job as it is known here. ``seen``: what the relay said of it, where it was submitted before."""

    def __init__(self, name: str = "", *, duration_s: int = 0, seen: JobView | None = None) -> None:
        self.job_id = seen.id if seen else ""
        self.name = name
        self.duration_s = seen.resources.duration_s if seen else duration_s
        self.created_ms = seen.created_ms if seen else now_ms()
        self.started_ms: int | None = None
        self.ended_ms: int | None = None
        self.state = State(QUEUED)
        self.usage: Usage | None = None
        self.peak_bytes = 0
        self.error: Error | None = None
        #: Lines that were written so far, a begun one not counted.
        self.log_lines = 0
        #: True: the cell shows only a part of what was printed.
        self.log_only = False
        self._seen = seen
        self._progress: dict[str, Progress] = {}
        #: When the newest bar was first seen, and how far it was then.
        self._bar_began: tuple[str, int, float] = ("", 0, 0.0)
        self._away_s: float | None = None
        self._note = ""

    def take(self, event: Event) -> None:
        """Note an event."""
        if isinstance(event, Log):
            self.log_lines += event.text.count("\n")
        elif isinstance(event, Progress):
            self._take_progress(event)
        elif isinstance(event, Usage):
            self.usage = event
            self.peak_bytes = max(self.peak_bytes, event.memory_bytes or 0)
        elif isinstance(event, State):
            self._take_state(event)
        elif isinstance(event, Error):
            self.error = event

    def away(self, seconds: float | None) -> None:
        """The relay has been away this long; ``None``: it is back."""
        self._away_s = seconds

    def say(self, note: str) -> None:
        """Say this instead of the state, from now on; the empty note: the state again."""
        self._note = note

    def settle(self) -> None:
        """The job is followed no longer: an end state outweighs what was last said of it."""
        if self.state.state in END_STATES:
            self._note = ""
        self._away_s = None
        self._progress.clear()

    @property
    def ended(self) -> bool:
        """True: it has ended, and this is known here."""
        return self.state.state in END_STATES

    @property
    def note(self) -> str:
        """What there is to say instead of the state; empty for nothing."""
        if self._note:
            return self._note
        if self._away_s is not None and self._away_s >= AWAY_WORTH_SAYING_S:
            return f"the relay has been away for {self._away_s:.0f} s, trying again"
        return ""

    @property
    def share(self) -> str:
        """What it has of which GPU, and what holds it to that; empty without one."""
        return share_words(self._devices(), self.state.enforced_by)

    def progress(self) -> Progress | None:
        """The bar that moved last."""
        return next(reversed(self._progress.values()), None)

    def elapsed_s(self) -> float:
        """How long it has run, or ran; before it runs, how long it has waited."""
        began = self.created_ms if self.started_ms is None else self.started_ms
        return max(0, (self.ended_ms or now_ms()) - began) / 1000

    def waited_s(self) -> float:
        """How long it waited before it ran."""
        return max(0, (self.started_ms or self.created_ms) - self.created_ms) / 1000

    def left_s(self) -> float | None:
        """How long it may still take, judging by its bar; ``None`` where there is nothing to judge by."""
        newest = self.progress()
        if newest is None or not newest.total or self._bar_began[0] != newest.id:
            return None
        _, began_ms, began_at = self._bar_began
        took_s = (now_ms() - began_ms) / 1000
        gone = newest.done - began_at
        if took_s < _ESTIMATE_AFTER_S or gone <= 0:
            return None
        return max(0.0, (newest.total - newest.done) * took_s / gone)

    def snapshot(self) -> dict[str, Any]:
        """All of it as the card takes it: ``JobSnapshot`` in ``front/card.d.ts``."""
        state, usage, newest = self.state, self.usage, self.progress()
        running = state.state == RUNNING and usage is not None
        held = self.share  # shown in its own place
        return {
            "id": self.job_id,
            "name": self.name,
            "state": state.state,
            "message": "" if state.message == held else state.message,
            "position": state.position,
            "worker": "" if state.state == QUEUED else state.worker,
            "share": held,
            "created_ms": self.created_ms,
            "started_ms": self.started_ms,
            "ended_ms": self.ended_ms,
            "duration_s": self.duration_s,
            "progress": newest
            and {"label": newest.label, "done": newest.done, "total": newest.total, "unit": newest.unit},
            "memory_bytes": usage.memory_bytes if running and usage else None,
            "gpu_percent": usage.gpu_percent if running and usage else None,
            "gpu_memory_bytes": usage.gpu_memory_bytes if running and usage else None,
            "note": self.note,
            "error": self._failure(),
            "log_lines": self.log_lines,
            "log_only": self.log_only,
        }

    def line(self) -> str:
        """All of it as one line of text."""
        parts = [self.name] if self.name else []
        parts += [self.doing(), self._time()]
        parts += self.place()
        if self.ended and self.peak_bytes:
            parts.append(f"peak {memory(self.peak_bytes)}")
        elif self.state.state == RUNNING and self.usage:
            parts += _used(self.usage)
        newest = self.progress()
        if newest is not None:
            parts.append(bar(newest))
        return " · ".join(parts)

    def place(self) -> list[str]:
        """Where it runs, and on what share of a GPU."""
        parts = [f"on {self.state.worker}"] if self.state.worker and self.state.state != QUEUED else []
        if self.state.devices:
            parts.append(short_share_words(self._devices(), self.state.enforced_by))
        return parts

    def doing(self) -> str:
        """What it is doing, and why where it waits."""
        if self.note:
            return self.note
        state = self.state
        word = STATE_WORDS.get(state.state, state.state.lower())
        if state.state == QUEUED and state.position:
            word += f", place {state.position}"
        if state.message not in ("", self.share) and state.state in (SCHEDULING, CREATING_PARTITION):
            word = state.message
        elif state.message and state.state == QUEUED:
            word += f": {state.message}"
        return word

    def took(self) -> str:
        """How long it ran, and how long it waited before where that is worth a word."""
        waited = self.waited_s()
        wait = f" after {clock(waited)} of waiting" if waited >= _WAIT_WORTH_SAYING_S else ""
        return clock(self.elapsed_s()) + wait

    def _time(self) -> str:
        if self.ended:
            return self.took()
        left = self.left_s()
        if left is not None:
            return f"{clock(self.elapsed_s())}, about {about(max(1.0, left))} left"
        if self.state.state == RUNNING and self.duration_s:
            return f"{clock(self.elapsed_s())} of at most {about(self.duration_s)}"
        return clock(self.elapsed_s())

    def _take_progress(self, event: Progress) -> None:
        self._progress.pop(event.id, None)
        if not event.finished:
            self._progress[event.id] = event
            if self._bar_began[0] != event.id or event.done < self._bar_began[2]:
                self._bar_began = (event.id, now_ms(), event.done)

    def _take_state(self, event: State) -> None:
        if event.attempt != self.state.attempt:
            self.started_ms, self.usage, self.error = None, None, None
            self._progress.clear()
        self.state = event
        seen = self._seen if self._seen and self._seen.attempt == event.attempt else None
        if event.state == RUNNING and self.started_ms is None:
            self.started_ms = (seen.started_ms if seen else None) or now_ms()
        elif event.state in END_STATES:
            self.ended_ms = (seen.ended_ms if seen else None) or now_ms()
            self._progress.clear()

    def _failure(self) -> dict[str, str] | None:
        """The error it failed with: what it is in one line, and what to do about it."""
        ended = self.state.error or {}
        # A job that ran out of its time was interrupted: that it raises so is not why it failed.
        late = ended.get("code") == "DEADLINE_EXCEEDED"
        if not late and self.error is not None and (self.error.module or self.error.traceback):
            first = self.error.value.partition("\n")[0]
            message = f"{self.error.name}: {first}" if first else self.error.name
        else:
            message = str(ended.get("message") or "")
        if self.state.state != FAILED or not message:
            return None
        return {"message": message.partition("\n")[0], "next": str(ended.get("next") or "")}

    def _devices(self) -> list[DeviceView]:
        names = ("id", "name", "used_tenths", "simulated")
        found = ({name: device[name] for name in names if name in device} for device in self.state.devices)
        return [DeviceView(**{"id": "", "name": "", **device}) for device in found]


def _used(usage: Usage) -> list[str]:
    parts = [memory(usage.memory_bytes)] if usage.memory_bytes else []
    if usage.gpu_percent is not None or usage.gpu_memory_bytes:
        share = f" {usage.gpu_percent:.0f} %" if usage.gpu_percent is not None else ""
        held = f", {memory(usage.gpu_memory_bytes)}" if usage.gpu_memory_bytes else ""
        parts.append(f"GPU{share or ''}{held if share else held.replace(',', '', 1)}")
    return parts
