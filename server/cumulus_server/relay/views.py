"""Jobs and workers as one owner sees them: the store's rows, with what only the running relay knows."""

from __future__ import annotations

from dataclasses import replace

from cumulus_jupyter.protocol.jobs import QUEUED, DeviceView, Holder, JobView, WorkerView

from ..store import JobRow, Transaction, jobs, stored_values
from ..store.rows import job_view
from .contract import Placement
from .reports import Reports

#: Jobs whose owner and name are remembered.
_KNOWN = 10_000


class Views:
    """Puts views together. Lives on the event loop."""

    def __init__(self, placement: Placement) -> None:
        self.reports = Reports()
        self._placement = placement
        #: Owner and name by job.
        self._known: dict[str, tuple[str, str]] = {}

    def job(self, tx: Transaction, row: JobRow) -> JobView:
        """The job with its place in the queue where it waits, and with what it says where it runs."""
        self._know(row)
        report = self.reports.of(tx, row)
        return replace(
            job_view(row, stored_values.names(tx, row.id)),
            position=self._placement.position(row.id) if row.status == QUEUED else None,
            progress=report.progress,
            usage=report.usage,
        )

    def _know(self, row: JobRow) -> tuple[str, str]:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        known = self._known[row.id] = (row.owner, row.spec.name)
        return known

    def owner(self, job_id: str) -> str | None:
        """Who owns the job; ``None`` where that is not remembered."""
        known = self._known.get(job_id)
        return None if known is None else known[0]

    def workers(self, tx: Transaction, owner: str, workers: list[WorkerView]) -> list[WorkerView]:
        """The workers, where the jobs of others have neither id nor name."""
        return [
            replace(worker, devices=[self._device(tx, owner, device) for device in worker.devices])
            if any(device.holders for device in worker.devices)
            else worker
            for worker in workers
        ]

    def _device(self, tx: Transaction, owner: str, device: DeviceView) -> DeviceView:
        return replace(device, holders=[self._holder(tx, owner, holder) for holder in device.holders])

    def _holder(self, tx: Transaction, owner: str, holder: Holder) -> Holder:
        known = self._known.get(holder.job_id)
        if known is None:
            row = jobs.find(tx, holder.job_id)
            known = ("", "") if row is None else self._know(row)
        if known[0] != owner:
            return Holder("", "", holder.tenths)
        return replace(holder, name=known[1])
