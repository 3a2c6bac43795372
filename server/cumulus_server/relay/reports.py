"""What running jobs have last said of themselves: how far they are, and what they use.

Noted as it is said, so that a look costs no search through a long log. Of jobs that ran before this relay
did, the newest events are read, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulus_jupyter.protocol.events import Progress, Usage
from cumulus_jupyter.protocol.jobs import RUNNING

from ..store import JobRow, StoredEvent, Transaction, events

#: So many events back something is looked for that was said to an earlier relay.
_BACK = 2000
#: Bars of one job that are remembered at once.
_BARS = 64

_PROGRESS = ("id", "label", "done", "total", "unit")
_USAGE = ("cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes")


class _State(msgspec.Struct):
    state: str


_state = msgspec.json.Decoder(_State)
_progress = msgspec.json.Decoder(Progress)
_usage = msgspec.json.Decoder(Usage)


class Report:
    """The newest words of one running job."""

    def __init__(self) -> None:
        self._bars: dict[str, dict[str, Any]] = {}
        self.usage: dict[str, Any] | None = None

    @property
    def progress(self) -> dict[str, Any] | None:
        """The bar that moved last, of those that have not ended."""
        return next(reversed(self._bars.values()), None)

    def take(self, event: StoredEvent) -> bool:
        """Note an event. ``False`` where it says that the job is not running."""
        if event.type == "progress":
            bar = _progress.decode(event.body)
            self._bars.pop(bar.id, None)
            if not bar.finished:
                self._bars[bar.id] = {name: getattr(bar, name) for name in _PROGRESS}
                if len(self._bars) > _BARS:
                    del self._bars[next(iter(self._bars))]
        elif event.type == "resources":
            usage = _usage.decode(event.body)
            self.usage = {name: getattr(usage, name) for name in _USAGE}
        elif event.type == "state":
            return _state.decode(event.body).state == RUNNING
        return True


class Reports:
    """The reports of the running jobs. Lives on the event loop."""

    def __init__(self) -> None:
        self._known: dict[str, Report] = {}

    def committed(self, job_id: str, new: Sequence[StoredEvent]) -> None:
        """Take note of committed events."""
        report = self._known.get(job_id)
        for event in new:
            if report is not None:
                if not report.take(event):
                    del self._known[job_id]
                    report = None
            elif event.type == "state" and _state.decode(event.body).state == RUNNING:
                report = self._known[job_id] = Report()

    def of(self, tx: Transaction, job: JobRow) -> Report:
        """What a job has said; nothing where it does not run."""
        if job.status != RUNNING:
            return Report()
        report = self._known.get(job.id)
        if report is None:
            report = Report()
            for event in events.reports(tx, job.number, max(0, job.last_seq - _BACK)):
                if not report.take(event):
                    report = Report()
            self._known[job.id] = report
        return report
