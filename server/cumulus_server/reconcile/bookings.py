"""What is booked on workers beside the leases in the store: given back, and compared with them.

A worker may be away when something is to be released. Nobody waits for it then: what is left there is a
stray, and strays are released at the next look at the worker, before anything new is booked on it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from cumulus_jupyter.protocol.jobs import RUNNING

from ..partitions.base import Booking, Entry, Partition, PartitionAway, PartitionFailed
from ..partitions.none import NoPartition
from ..store import JobRow, Store, Transaction, attempts, jobs
from ..workers.health import Health, has_chronos
from ..workers.inventory import Inventory
from .deadlines import Patience
from .endings import LIVE
from .tasks import within

log = logging.getLogger(__name__)

#: What a booking must last beyond the job it is for, else it is renewed, in seconds.
_SPARE_S = 120.0
_CHRONOS = "chronos"


class Bookings:
    """Which partition a worker has, releases, and the comparison of a node with the store."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        partitions: Mapping[str, Partition],
        health: Health,
        patience: Patience,
        clock_ms: Callable[[], int],
    ) -> None:
        """``partitions`` are by name; workers whose own is not among them have ``NoPartition``."""
        self._store = store
        self._inventory = inventory
        self._partitions = {"none": NoPartition(), **partitions}
        self._health = health
        self._patience = patience
        self._clock_ms = clock_ms

    def partition_of(self, worker: str) -> Partition:
        """What holds shares on this worker."""
        known = self._inventory.worker(worker)
        name = _CHRONOS if known is not None and has_chronos(known) else "none"
        return self._partitions.get(name, self._partitions["none"])

    def node_of(self, worker: str) -> str:
        """The node of a worker, also of one that the platform does not tell of now."""
        known = self._inventory.worker(worker)
        return known.node if known is not None and known.node else self._health.node_named(worker)

    def failed(self, node: str, error: PartitionFailed) -> None:
        """A booking has failed on this node."""
        if error.away:
            self._health.away(node, error.away)
        else:
            self._health.look_soon(node)  # perhaps for a stray

    async def release(self, job: JobRow) -> None:
        """Give back what the job's attempt has booked; never waits long, and never fails."""
        partition, node = self._of(job)
        if partition.name != _CHRONOS:
            return
        if self._health.is_away(node):
            self._health.look_soon(node)
            return
        try:
            release = partition.release(node, job.id, job.attempt, job.partition)
            await within(self._patience.release_s, release)
        except (PartitionAway, PartitionFailed, TimeoutError) as error:
            why = getattr(error, "message", "") or "it did not answer in time"
            log.info("what %s has booked on %s is released later: %s", job.id, job.worker, why)
            self._health.look_soon(node)

    def _of(self, job: JobRow) -> tuple[Partition, str]:
        booking = job.partition
        if booking is None:  # the node was about to be asked, and what came of it was not kept
            name, node = _CHRONOS, self.node_of(job.worker)
        else:
            name, node = str(booking["partition"]), str(booking.get("node", ""))
        return self._partitions.get(name, self._partitions["none"]), node

    async def compare(self, node: str) -> None:
        """Release what nobody wants, book again what is missing, renew what would end too early.

        Raises ``PartitionAway``, and ``PartitionFailed`` where the node cannot tell what it holds.
        """
        partition = self._partitions[_CHRONOS]
        held = await within(self._patience.call_s, partition.list(node))
        if held is None:
            return
        # Read after the node has told, so that an attempt begun meanwhile is among them.
        rows = await self._store.run(attempts.load_holding)
        wanted = {(job.id, job.attempt) for job in rows}
        for entry in held:
            if (entry.job_id, entry.attempt) not in wanted:
                log.warning("releasing %s on %s, which no job holds any more", entry.id, node)
                await within(self._patience.call_s, partition.drop(node, entry))
        for job in rows:
            if job.partition is not None and job.partition.get("node") == node and job.status in LIVE:
                await self._keep(partition, job, job.partition, held)

    async def _keep(self, partition: Partition, job: JobRow, booking: Booking, held: Sequence[Entry]) -> None:
        left_s = self._left_s(job)
        mine = [entry for entry in held if (entry.job_id, entry.attempt) == (job.id, job.attempt)]
        whole = len(mine) >= len(booking["shares"])
        if whole and min(entry.remaining_s for entry in mine) >= left_s + _SPARE_S:
            return
        if not whole:
            log.warning("booking again on %s what %s should have there", job.worker, job.id)
        try:
            keep = partition.keep(job.id, job.attempt, booking, int(left_s) + 1)
            kept = await within(self._patience.call_s, keep)
        except PartitionFailed as error:
            log.warning("%s is without its booking on %s: %s", job.id, job.worker, error.message)
            return
        if not await self._store.run(lambda tx: _save(tx, job, kept)):
            # It has ended meanwhile, and what it had was released before this was booked.
            release = partition.release(str(kept["node"]), job.id, job.attempt, kept)
            await within(self._patience.call_s, release)

    def _left_s(self, job: JobRow) -> float:
        """Seconds that the job may still take."""
        whole_s = job.spec.resources.duration_s + self._patience.overtime_s
        if job.status != RUNNING or job.started_ms is None:
            return whole_s
        return max(0.0, whole_s - (self._clock_ms() - job.started_ms) / 1000)


def _save(tx: Transaction, job: JobRow, booking: Booking) -> bool:
    """Keep the booking, unless the attempt holds nothing any more."""
    now = jobs.find(tx, job.id)
    if now is None or now.released or now.attempt != job.attempt:
        return False
    if now.partition == booking:
        return True
    return attempts.save_partition(tx, job.id, job.attempt, booking, now.enforced_by)
