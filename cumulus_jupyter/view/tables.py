"""Tables for ``%cumulus``: text in a terminal, HTML in a notebook."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..protocol.events import Progress, event_from_wire
from ..protocol.jobs import DeviceView, JobView, WorkerView
from ..protocol.shares import device_name, share_words
from .words import bar

#: Ids of jobs shown of one worker.
_SHOWN_JOBS = 3
_SHARES_HELD = {
    "mps": "shares held by mps",
    "mig": "shares held by mig",
    "framework": "shares held by framework",
    "none": "shares held by nothing",
}


class Text:
    """Text that shows as it is, in a terminal and in a notebook. ``item`` is what it was made of."""

    def __init__(self, text: str, item: Any = None) -> None:
        self.text = text
        self.item = item

    def __repr__(self) -> str:
        return self.text


class Table:
    """Rows under a heading. ``items`` are what the rows were made of."""

    def __init__(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], items: Sequence[Any] = ()
    ) -> None:
        self.title = title
        self.columns = list(columns)
        self.rows = [["" if cell is None else str(cell) for cell in row] for row in rows]
        self.items = list(items)

    def __repr__(self) -> str:
        if not self.rows:
            return f"{self.title}: none"
        grid = [self.columns, *self.rows] if any(self.columns) else self.rows
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        lines = [self.title] if self.title else []
        for row in grid:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{html.escape(self.title)}: none</p>"
        parts = [f"<b>{html.escape(self.title)}</b>" if self.title else "", '<table style="text-align:left">']
        if any(self.columns):
            heads = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in self.columns)
            parts.append(f"<tr>{heads}</tr>")
        for row in self.rows:
            cells = "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</table>")
        return "".join(parts)


def jobs_table(views: Sequence[JobView], now_ms: int | None = None) -> Table:
    """The jobs, one a row."""
    now = int(time.time() * 1000) if now_ms is None else now_ms
    rows = [
        (
            view.id,
            view.name,
            view.state,
            amount(view),
            view.worker,
            age(now - view.created_ms),
            took(view, now),
        )
        for view in views
    ]
    return Table("Jobs", ["id", "name", "state", "gpu", "worker", "age", "ran"], rows, views)


def job_table(view: JobView) -> Table:
    """One job, one property a row."""
    now = int(time.time() * 1000)
    held = share_words(view.devices, view.enforced_by)
    rows: list[tuple[str, object]] = [
        ("id", view.id),
        ("name", view.name),
        ("state", view.state + (", to be cancelled" if view.cancel_requested else "")),
        ("place in the queue", view.position),
        ("why", view.message if view.message != held else ""),
        ("progress", progress_words(view.progress or {})),
        ("uses", usage_words(view.usage or {})),
        ("asked for", asked(view)),
        ("executor", view.executor),
        ("image", view.image),
        ("worker", view.worker),
        ("devices", held),
        ("priority", view.priority or None),
        ("attempt", view.attempt),
        ("created", f"{age(now - view.created_ms)} ago"),
        ("ran", took(view, now)),
        ("requirements", " ".join(view.requirements)),
        ("needs", ", ".join(view.needs)),
        ("labels", ", ".join(f"{key}={value}" for key, value in view.labels.items())),
        ("sent from", view.origin.notebook),
        ("values kept", ", ".join(view.values)),
        ("error", (view.error or {}).get("message")),
        ("next", (view.error or {}).get("next")),
    ]
    shown = [row for row in rows if row[1] not in (None, "", [])]
    return Table("Job", ["", ""], shown, [view])


def workers_table(workers: Sequence[WorkerView]) -> Table:
    """The workers, one a row."""
    rows = [
        (
            worker.id,
            worker.executor,
            worker.state,
            _of(f"{worker.used_cpu:g}", f"{worker.cpu:g}", worker.used_cpu),
            _of(_mib(worker.used_memory_mib), _mib(worker.memory_mib), worker.used_memory_mib),
            ", ".join(device_words(device) for device in worker.devices) or "none",
            ", ".join(worker.pythons),
            _offers(worker),
            f"{len(worker.jobs)} of {worker.slots}",
            _some(worker.jobs),
            worker.message,
        )
        for worker in workers
    ]
    columns = [
        "id",
        "executor",
        "state",
        "cpu",
        "memory",
        "gpus",
        "python",
        "offers",
        "jobs",
        "running",
        "why",
    ]
    if not any(worker.message for worker in workers):
        columns.pop()  # last, as it may be long
    return Table("Workers", columns, [row[: len(columns)] for row in rows], workers)


def _mib(count: int) -> str:
    return size(count * 2**20)


def _of(used: str, whole: str, taken: float) -> str:
    """An amount, and how much of it jobs have asked for where they have."""
    return f"{used} of {whole} asked for" if taken else whole


def _offers(worker: WorkerView) -> str:
    """What ``--label`` can ask for; of a label with a value, the whole of it."""
    valued = {key for key, value in worker.labels.items() if value}
    return ", ".join(name for name in worker.capabilities if name not in valued)


def _some(jobs: Sequence[str]) -> str:
    """Ids of jobs, the first few."""
    more = f" and {len(jobs) - _SHOWN_JOBS} more" if len(jobs) > _SHOWN_JOBS else ""
    return " ".join(jobs[:_SHOWN_JOBS]) + more


def device_words(device: DeviceView) -> str:
    """A worker's GPU in a few words: how much of it is taken, and what would hold a job to a share."""
    used = f", {device.used_tenths / 10:g} in use" if device.used_tenths else ""
    held = _SHARES_HELD.get(device.enforced_by, "")
    return device_name(device) + used + (f", {held}" if held else "")


def amount(view: JobView) -> str:
    """The GPU amount of a job."""
    return "" if view.resources.gpu is None else f"{view.resources.gpu:g}"


def asked(view: JobView) -> str:
    """What a job asked for."""
    need = view.resources
    parts = [f"{need.gpu:g} GPU" if need.gpu is not None else "", f"{need.cpu:g} CPU" if need.cpu else ""]
    parts += [size(need.memory_mib * 2**20) if need.memory_mib else "", f"{need.duration_s} s"]
    return ", ".join(part for part in parts if part)


def progress_words(fields: Mapping[str, Any]) -> str:
    """How far a job has come."""
    event = event_from_wire({**fields, "type": "progress"}) if "id" in fields else None
    return bar(event) if isinstance(event, Progress) else ""


def usage_words(fields: Mapping[str, Any]) -> str:
    """What a job uses."""
    cpu, memory, gpu, gpu_memory = (
        fields.get(name) for name in ("cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes")
    )
    parts = (
        "" if cpu is None else f"{cpu:.0f} % CPU",
        "" if memory is None else size(memory),
        "" if gpu is None else f"{gpu:.0f} % GPU",
        "" if gpu_memory is None else f"{size(gpu_memory)} of GPU memory",
    )
    return ", ".join(part for part in parts if part)


def took(view: JobView, now_ms: int) -> str:
    """How long a job has run, or ran."""
    if view.started_ms is None:
        return ""
    return age((view.ended_ms or now_ms) - view.started_ms)


def age(milliseconds: int) -> str:
    """A span of time for people: ``0.4 s``, ``3 min``, ``5 h``, ``2 d``."""
    seconds = max(0, milliseconds) / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} d"


def size(count_bytes: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count_bytes < 1024:
            return f"{count_bytes:.3g} {unit}"
        count_bytes /= 1024
    return f"{count_bytes:.3g} TiB"
