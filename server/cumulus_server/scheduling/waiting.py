"""What is told to a job that has to wait: why, and for what."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

from .capacity import Capacity
from .model import DEVICE_TENTHS, Ask, Worker
from .plan import Kept, Reservation
from .pools import Pool
from .room import Room

#: Workers named in one reason.
_NAMED = 3


def waiting_reason(capacity: Capacity, ask: Ask, kept: Kept | None = None) -> str:
    """Why a job that some worker could hold does not start now. ``kept`` are the reservations of others."""
    pools = capacity.pools(ask)
    rooms = [room for pool in pools for room in pool.rooms.values()]
    if not any(room.worker.ready for room in rooms):
        return _nobody_up(rooms, capacity.unknown.get(capacity.executor_for(ask) or "", ""))
    if not any(room.takes(ask) for room in rooms):
        return _devices_away([room.worker for room in rooms if room.worker.ready])
    if not any(pool.by_load for pool in pools):
        slots = sum(room.worker.slots for room in rooms if room.worker.ready)
        return f"all {slots} places for jobs are taken"
    free = max((_most_free(pool, ask) for pool in pools), default=0) if ask.tenths else 0
    if free < ask.tenths:
        return f"waiting for {gpu_words(ask.tenths)}, {_free_words(ask.tenths, free)} now"
    up = [room for room in rooms if room.takes(ask)]
    if ask.memory_mib and all(room.memory_mib < ask.memory_mib for room in up):
        return f"waiting for {ask.memory_mib} MiB of memory"
    if ask.cpu and all(room.cpu < ask.cpu for room in up):
        return f"waiting for {ask.cpu:g} CPU cores"
    placement = capacity.fit(ask)
    if placement is None:
        return "waiting for a worker that has all it asks for free together"
    ahead = (kept or {}).get(placement.worker)
    return "waiting for its turn" if ahead is None else _held_back(ahead)


def reserved_words(reservation: Reservation) -> str:
    """What is told besides to a job that a place is kept for."""
    return f"{reservation.worker} is kept for it, from {_clock(reservation.at_ms)} at the latest"


def gpu_words(tenths: int) -> str:
    """An amount of GPU as a person would say it."""
    if tenths < DEVICE_TENTHS:
        return f"{tenths / DEVICE_TENTHS:g} of a GPU"
    count = tenths // DEVICE_TENTHS
    return "a whole GPU" if count == 1 else f"{count} whole GPUs"


def _free_words(asked: int, free: int) -> str:
    if not free:
        return "none free"
    if asked < DEVICE_TENTHS:
        return f"{free / DEVICE_TENTHS:g} free on one"
    return f"{free // DEVICE_TENTHS} free" + (" together" if asked > DEVICE_TENTHS else "")


def _held_back(ahead: Reservation) -> str:
    amount = gpu_words(ahead.ask.tenths) if ahead.ask.tenths else "more"
    return (
        f"held back: the room there is on {ahead.worker} is kept for a job ahead that needs {amount}"
        f" and starts by {_clock(ahead.at_ms)} at the latest"
    )


def _most_free(pool: Pool, ask: Ask) -> int:
    """Tenths that a job like this could find in one place there, were it alone."""
    able = pool.able(ask)
    if able is not None:  # the indexes know of all devices only
        open_rooms = [room for room in pool.rooms.values() if room.takes_gpu_jobs and room.slots > 0]
        if ask.tenths >= DEVICE_TENTHS:
            return DEVICE_TENTHS * max((room.longest_run(able) for room in open_rooms), default=0)
        return max((max(room.free_for(able)) for room in open_rooms), default=0)
    if pool.by_run:
        return DEVICE_TENTHS * max(pool.by_run)
    if ask.tenths >= DEVICE_TENTHS:
        return 0
    return max((free for free, devices in enumerate(pool.by_free) if devices), default=0)


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M UTC")


def _devices_away(workers: list[Worker]) -> str:
    why = "; ".join(f"{worker.id}: {worker.devices_message}" for worker in workers[:_NAMED])
    return f"waiting for GPUs that take no new job: {why}"


def _nobody_up(down: Iterable[Room], unknown: str) -> str:
    """What to say where nothing that suits the job is up."""
    workers = [room.worker for room in down]
    reasons = [_is_down(worker) for worker in islice(workers, _NAMED)]
    messages = {worker.message for worker in workers}
    if len(workers) > 1 and len(messages) == 1:
        reasons = [each for each in messages if each] or reasons  # what ails them is no worker's own
    why = "; ".join(reasons) or unknown
    return "waiting for a worker to come up" + (f": {why}" if why else "")


def _is_down(worker: Worker) -> str:
    return f"{worker.id} is down" + (f": {worker.message}" if worker.message else "")
