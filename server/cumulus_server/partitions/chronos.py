"""Shares booked in Chronos, by the command line of the worker's own chronosd."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from . import chronos_words as words
from .base import Booking, BookingRequest, Entry, PartitionAway, PartitionFailed, Tell, silent
from .holding import hold
from .remote import Answer, Remote, Unreachable

log = logging.getLogger(__name__)

_UNREACHABLE = "Failed to create Chronos partition on worker: SSH connection failed"
_FAILED = "Chronos partition creation failed: "
#: Codes of chronos_cli where asking again would end the same way.
_HOPELESS = frozenset({"INVALID"})


class ChronosPartition:
    """See ``partitions.base.Partition`` for the methods.

    A booking outlives its job's duration by ``margin_s`` seconds, so that what has to be waited for
    before the code begins is covered until the booking is renewed.
    """

    name = "chronos"

    def __init__(
        self, remote: Remote, owner: str, *, tries: int = 3, backoff_s: float = 1.0, margin_s: int = 300
    ) -> None:
        """``owner`` tells this relay's bookings from others'."""
        self._remote = remote
        self._owner = owner
        self._tries = tries
        self._backoff_s = backoff_s
        self._margin_s = margin_s

    def instant(self, request: BookingRequest) -> Booking | None:
        """The node has to be asked."""
        return None

    async def create(self, request: BookingRequest, tell: Tell = silent) -> Booking:
        """Three tries of all shares: what an earlier try has booked is there already in the next one."""
        indexes = {device.id: device.index for device in request.devices}
        wanted = [(share.device, indexes[share.device], share.tenths) for share in request.shares]
        seconds = request.duration_s + self._margin_s
        key = words.key_of(request.job_id, request.attempt)
        wait_s = self._backoff_s
        for left in range(self._tries - 1, -1, -1):
            try:
                shares = await self._book_all(request.node, key, wanted, seconds)
                return self._booking(request, shares)
            except (PartitionAway, PartitionFailed) as error:
                failed = _failure(error)
                if not left or getattr(error, "hopeless", False):
                    raise failed from None
                log.info("no share on %s for %s yet: %s", request.worker, key, error.message)
                tell(f"{request.worker}: {error.message}; trying again")
            await asyncio.sleep(wait_s)
            wait_s *= 2
        raise AssertionError("the last try returns or raises")

    async def keep(self, job_id: str, attempt: int, booking: Booking, duration_s: int) -> Booking:
        """As ``create``, for the devices of the booking; what is there already is renewed by that."""
        key = words.key_of(job_id, attempt)
        wanted = [(share["device"], share["index"], share["tenths"]) for share in booking["shares"]]
        shares = await self._book_all(booking["node"], key, wanted, duration_s + self._margin_s)
        return {**booking, "shares": shares}

    async def release(self, node: str, job_id: str, attempt: int, booking: Booking | None) -> None:
        """By the ids that are known, else by whatever bears the attempt's name."""
        if booking is not None:
            ids = [share["id"] for share in booking["shares"]]
        else:
            found = await self.list(node) or ()
            ids = [entry.id for entry in found if (entry.job_id, entry.attempt) == (job_id, attempt)]
        for each in ids:
            await self._release(node, each)

    async def list(self, node: str) -> Sequence[Entry] | None:
        """The bookings of this relay."""
        return words.entries(await self._ask(node, ["list"], ["--owner", self._owner]))

    async def drop(self, node: str, entry: Entry) -> None:
        """By its id."""
        await self._release(node, entry.id)

    def environment(self, booking: Booking) -> Mapping[str, str]:
        """As it was decided when the share was booked."""
        env: Mapping[str, str] = booking["given"]["env"]
        return env

    def mounts(self, booking: Booking) -> Sequence[tuple[str, str]]:
        """As it was decided when the share was booked."""
        return [(there, inside) for there, inside in booking["given"]["mounts"]]

    def enforced_by(self, booking: Booking) -> str:
        """The booking itself holds nobody: what is given to the job does."""
        return str(booking["given"]["by"])

    def _booking(self, request: BookingRequest, shares: Sequence[Mapping[str, Any]]) -> Booking:
        held = hold(request.shares, request.devices)
        return {
            "version": 1,
            "partition": self.name,
            "worker": request.worker,
            "node": request.node,
            "shares": list(shares),
            "given": {
                "env": dict(held.env),
                "mounts": [list(each) for each in held.mounts],
                "by": held.enforced_by,
            },
        }

    async def _book_all(
        self, node: str, key: str, wanted: Sequence[tuple[str, int, int]], seconds: int
    ) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "id": await self._book(node, key, index, tenths, seconds),
                "device": device,
                "index": index,
                "tenths": tenths,
            }
            for device, index, tenths in wanted
        ]

    async def _book(self, node: str, key: str, index: int, tenths: int, seconds: int) -> str:
        asked = words.create_words(index, tenths, seconds)
        answer = await self._ask(node, asked, ["--owner", self._owner, "--key", key])
        made = words.created_id(answer)
        if not made:
            raise _Refused("its answer names no partition", next="See whether chronos_cli works there.")
        return made

    async def _release(self, node: str, partition_id: str) -> None:
        answer = await self._run(node, ["release", partition_id])
        if answer.exit != 0 and not words.is_gone(answer):
            log.warning("%s on %s is not released: %s", partition_id, node, words.error_message(answer))

    async def _ask(self, node: str, asked: Sequence[str], options: Sequence[str]) -> Answer:
        """The answer to a command that has succeeded. Raises ``PartitionAway`` and ``PartitionFailed``."""
        answer = await self._run(node, asked, options)
        if answer.exit != 0:
            error = _Refused(words.error_message(answer), next=words.error_next(answer))
            error.hopeless = words.error_code(answer) in _HOPELESS
            raise error
        return answer

    async def _run(self, node: str, asked: Sequence[str], options: Sequence[str] = ()) -> Answer:
        answer = await self._remote.run(node, asked, options)
        if answer.exit != 0 and words.error_code(answer) == "UNAVAILABLE":
            raise PartitionAway(words.error_message(answer), next=words.error_next(answer))
        return answer


class _Refused(PartitionFailed):
    """The node's Chronos has said no."""

    hopeless = False


def _failure(error: PartitionAway | PartitionFailed) -> PartitionFailed:
    """What the job is told when the last try has failed."""
    if isinstance(error, Unreachable):
        return PartitionFailed(_UNREACHABLE, next=error.next, away=error.message)
    if isinstance(error, PartitionAway):
        return PartitionFailed(_FAILED + error.message, next=error.next, away=error.message)
    return PartitionFailed(_FAILED + error.message, next=error.next)
