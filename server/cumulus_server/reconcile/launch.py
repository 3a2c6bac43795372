"""The start of an attempt: one transaction, then the partition, then the runner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from cumulus_jupyter.protocol.jobs import CREATING_PARTITION, SCHEDULING, DeviceView
from cumulus_jupyter.protocol.shares import share_words

from ..executors.base import Executor, ExecutorUnavailable, Handle, StartRequest, Tell
from ..lifecycle import IllegalTransition
from ..partitions.base import Booking, BookingRequest, Partition, PartitionFailed
from ..partitions.holding import NO_DEVICES, fraction
from ..relay.tokens import new_token, token_hash
from ..scheduling.model import Placement
from ..store import JobRow, Store, Transaction, attempts, jobs
from ..workers.inventory import Inventory
from .bookings import Bookings
from .tasks import within

#: The longest that an image and the like may take to arrive, in seconds; a cancel ends it sooner.
_PREPARE_S = 3600.0
#: Between two tries to reach an executor's outside, in seconds: the first, and the longest.
_AGAIN_FIRST_S, _AGAIN_LAST_S = 0.5, 15.0


@dataclass(frozen=True)
class Address:
    """How runners reach the relay."""

    #: Including the base URL, such as "http://127.0.0.1:8888/".
    url: str
    #: File that tells a restarted relay's address.
    relay_file: str = ""
    #: The only certificate to trust there, as PEM; empty for the system's.
    certificate: str = ""


#: Tells how an executor's runners reach the relay. Raises ``ExecutorUnavailable`` where they cannot.
Addresses = Callable[[Executor], Awaitable[Address]]


class Launcher:
    """Begins attempts. One method writes, the other acts, so that a crash between them is seen."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        bookings: Bookings,
        address: Addresses,
        call_s: float,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._bookings = bookings
        self._address = address
        self._call_s = call_s

    async def begin(self, job: JobRow, placement: Placement) -> Launch:
        """Write the attempt down: number, place, leases, handle, states.

        Raises ``IllegalTransition`` where the job has moved on, and ``ExecutorUnavailable`` where its
        runner could not reach the relay; then nothing was written.
        """
        executor = self._inventory.executor_of(placement.worker)
        assert executor is not None, "a placement names a worker of some executor"
        address = await self._address(executor)
        launch = self._plan(job, placement, executor, address)
        await self._store.run(launch.write, durable=False)
        return launch

    def _plan(self, job: JobRow, placement: Placement, executor: Executor, address: Address) -> Launch:
        attempt, spec = job.attempt + 1, job.spec
        devices = [self._inventory.device(placement.worker, share.device) for share in placement.shares]
        part = fraction(placement.shares, devices)
        request = StartRequest(
            job_id=job.id,
            attempt=attempt,
            claim_token=new_token(),
            url=address.url,
            relay_file=address.relay_file,
            worker=placement.worker,
            resources=spec.resources,
            env=NO_DEVICES,
            devices=[share.device for share in placement.shares],
            gpu_fraction=part.share,
            gpu_memory_mib=part.memory_mib,
            python=spec.python if self._inventory.has_python(placement.worker, spec.python) else "",
            image=spec.image,
            requirements=spec.requirements,
            certificate=address.certificate,
        )
        partition = self._bookings.partition_of(placement.worker) if placement.shares else None
        booking_request = BookingRequest(
            job.id, attempt, placement.worker, placement.shares, devices, spec.resources.duration_s,
            self._bookings.node_of(placement.worker),
        )  # fmt: skip
        booking = partition.instant(booking_request) if partition else None
        views = [
            DeviceView(device.id, device.name, device.memory_mib, share.tenths, device.simulated)
            for device, share in zip(devices, placement.shares, strict=True)
        ]
        handle = executor.handle_for(request)
        return Launch(job, placement, executor, request, handle, views, partition, booking_request, booking)

    async def act(self, launch: Launch, tell: Tell) -> None:
        """Book the partition and start the runner. Raises ``PartitionFailed`` or ``StartFailed``.

        While the executor's outside cannot be reached it is tried again, until this is cancelled.
        """
        request, booking, job = launch.request, launch.booking, launch.job
        partition = launch.partition
        if partition is not None:
            if booking is None:
                booking = await self._book(partition, launch.booking_request, tell)
                kept, by = booking, partition.enforced_by(booking)
                await self._store.run(
                    lambda tx: attempts.save_partition(tx, job.id, request.attempt, kept, by)
                )
                tell(share_words(launch.devices, by))
            env = {**request.env, **partition.environment(booking)}
            request = replace(request, env=env, mounts=partition.mounts(booking))
        handle = await self._start(launch.executor, request, tell)
        if handle != launch.handle:
            await self._store.run(lambda tx: attempts.save_handle(tx, job.id, request.attempt, handle))

    async def _book(self, partition: Partition, request: BookingRequest, tell: Tell) -> Booking:
        try:
            return await within(self._call_s, partition.create(request, tell))
        except TimeoutError:
            why = f"no answer within {self._call_s:g} s"
            raise PartitionFailed(f"Chronos partition creation failed: {why}", away=why) from None

    async def _start(self, executor: Executor, request: StartRequest, tell: Tell) -> Handle:
        again_s = _AGAIN_FIRST_S
        while True:
            try:
                await within(_PREPARE_S, executor.prepare(request, tell))
                return await within(self._call_s, executor.start(request))
            except ExecutorUnavailable as error:
                tell(f"{error.message}; trying again")
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, _AGAIN_LAST_S)


@dataclass(frozen=True)
class Launch:
    """Everything decided about one attempt before anything is done."""

    job: JobRow
    placement: Placement
    executor: Executor
    request: StartRequest
    handle: Handle
    devices: list[DeviceView]
    partition: Partition | None
    booking_request: BookingRequest
    booking: Booking | None

    def write(self, tx: Transaction) -> None:
        """The attempt's row, leases, handle and states, in one transaction."""
        job_id, attempt = self.job.id, self.request.attempt
        enforced_by = self.partition.enforced_by(self.booking) if self.partition and self.booking else ""
        row = attempts.begin_attempt(
            tx,
            job_id,
            executor=self.executor.name,
            worker=self.placement.worker,
            claim_hash=token_hash(self.request.claim_token),
            devices=self.devices,
            leases=[(share.device, share.tenths) for share in self.placement.shares],
            enforced_by=enforced_by,
            handle=self.handle,
        )
        if row.attempt != attempt:
            raise IllegalTransition("The job has begun another attempt", job_id=job_id)
        if self.booking is not None:
            attempts.save_partition(tx, job_id, attempt, self.booking, enforced_by)
        message = share_words(self.devices, enforced_by)
        jobs.transition(tx, job_id, SCHEDULING, attempt=attempt, message=message)
        if self.partition is not None:
            jobs.transition(tx, job_id, CREATING_PARTITION, attempt=attempt, message=message)
        # On this machine a power cut ends the runner as well, and the job is still queued. What runs
        # elsewhere outlives it, so that its attempt's number must not be given to another one.
        tx.durable = bool(self.executor.reach)
