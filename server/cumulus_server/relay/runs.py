"""What runners report to the relay: claim, events, values; and what they fetch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cumulus_jupyter.protocol.channel import Acknowledged, Claim, Outcome
from cumulus_jupyter.protocol.errors import (
    CumulusError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
)
from cumulus_jupyter.protocol.jobs import CANCELLED, COMPLETED, END_STATES, FAILED, RUNNING
from cumulus_jupyter.protocol.shares import share_words

from ..store import JobRow, Store, Transaction, events, jobs, sessions, stored_values
from .batches import Batch
from .contract import Waker
from .files import Files
from .hub import ControlStream, Hub
from .tokens import matches, token_hash

_encode = msgspec.json.Encoder().encode
#: Executors whose runners share the relay's machine: a power cut ends both, so that what they report
#: while they run need not wait for the disk. The end of a job always does.
_SAME_MACHINE = frozenset({"process"})
_OVER = "Stop: the relay has ended this attempt, or given the job to another runner."


@dataclass(frozen=True)
class Session:
    """A runner that has shown a session key the relay knows."""

    job_id: str
    attempt: int


class Runs:
    """The runner's side of a job. Tokens are checked here, and only here."""

    def __init__(self, store: Store, hub: Hub, files: Files, waker: Waker, values_limit_bytes: int) -> None:
        self._store = store
        self._hub = hub
        self._files = files
        self._waker = waker
        self._values_limit_bytes = values_limit_bytes

    async def claim(self, token: str, claim: Claim) -> bytes:
        """Give the attempt to this runner, once; JSON of ``Claimed``.

        The same runner may ask again. Raises ``Unauthenticated`` for a wrong token and
        ``FailedPrecondition`` where the attempt is over, taken, or to be cancelled, and where the
        runner's Python cannot read the job's values: then the job has failed.
        """
        if len(claim.session_key) < 64:
            raise InvalidArgument("The session key must be at least 32 random bytes in hex")
        session = token_hash(claim.session_key)

        def take(tx: Transaction) -> tuple[JobRow, bytes | None]:
            job = jobs.find(tx, claim.job_id)
            if job is None:
                raise Unauthenticated()
            if job.attempt != claim.attempt or job.ended:
                raise _over(job.id, claim.attempt)
            if not matches(token, job.claim_hash):
                raise Unauthenticated()
            if job.session_hash != session:
                if job.target != "COMPLETED":
                    raise FailedPrecondition("The job is to end", next=_OVER, job_id=job.id)
                wrong = _wrong_python(job, claim)
                if wrong is not None and not job.claimed:
                    error = wrong.to_wire()
                    return jobs.transition(tx, job.id, FAILED, message=wrong.message, error=error).job, None
                if job.claimed or not sessions.take_claim(tx, job, session):
                    raise FailedPrecondition("Another runner has this attempt", next=_OVER, job_id=job.id)
                held = share_words(job.devices, job.enforced_by)
                job = jobs.transition(tx, job.id, RUNNING, attempt=job.attempt, message=held).job
                tx.durable = job.executor not in _SAME_MACHINE
            return job, jobs.program(tx, job)

        job, program = await self._store.run(take)
        if program is None:
            self._waker.wake(job.id)
            raise FailedPrecondition(job.message, next=_OVER, job_id=job.id)
        spec = job.spec
        rest = {
            "requirements": spec.requirements,
            "env": spec.env,
            "bundle_bytes": job.bundle_bytes,
            "duration_s": float(spec.resources.duration_s),
            "cancel_requested": job.cancel_requested,
        }
        return b'{"program":' + program + b"," + _encode(rest)[1:]

    async def session(self, key: str) -> Session:
        """Who shows this session key. Raises ``Unauthenticated``."""
        found = await self._store.run(lambda tx: sessions.find(tx, token_hash(key)))
        if found is None:
            raise Unauthenticated()
        return Session(*found)

    async def post_batch(self, key: str, batch: Batch) -> Acknowledged:
        """Store what is new of a batch, and with it the end of the attempt where it tells that.

        Raises ``FailedPrecondition`` for an attempt that is over, and for a batch behind a gap.
        """
        job, through = await self._store.run(lambda tx: _take_batch(tx, token_hash(key), batch))
        if batch.outcome is not None:
            self._waker.wake(job.id)
        return Acknowledged(through, job.cancel_requested)

    async def bundle(self, session: Session) -> Path:
        """The bundle of the runner's job. Raises ``NotFound`` where it has none."""
        job = await self._store.run(lambda tx: _live(tx, session))
        if not job.bundle_bytes:
            raise NotFound("The job has no bundle", job_id=job.id)
        return self._files.bundle(job.id)

    async def check_value(self, session: Session, name: str, size_bytes: int) -> int:
        """How many bytes a value of this name may have. Raises where it is already too large."""
        if not name.removeprefix("@").isidentifier() or len(name) > 200:
            raise InvalidArgument(f"Invalid value name: {name!r}", job_id=session.job_id)

        def room(tx: Transaction) -> int:
            job = _live(tx, session)
            return self._values_limit_bytes - stored_values.other_bytes(tx, job.id, name)

        allowed = await self._store.run(room)
        if size_bytes > allowed:
            raise self.too_large(session)
        return allowed

    def too_large(self, session: Session) -> PayloadTooLarge:
        """The error for values that are over a job's limit."""
        return PayloadTooLarge(
            f"The job's stored values are over {self._values_limit_bytes} bytes",
            next="Keep less, or raise Cumulus.values_limit_bytes.",
            job_id=session.job_id,
        )

    async def put_value(self, session: Session, name: str, arrived: Path) -> None:
        """Keep a value that has arrived in full. ``arrived`` is taken over."""
        size_bytes = await asyncio.to_thread(
            self._files.keep, arrived, self._files.value(session.job_id, name, session.attempt)
        )

        def put(tx: Transaction) -> None:
            stored_values.put(tx, _live(tx, session).id, name, session.attempt, size_bytes)

        await self._store.run(put)

    async def link_value(self, session: Session, name: str, there: Path) -> None:
        """Keep a value that is a file of this machine already; the file stays where it is as well."""
        size_bytes = self._files.size(there)
        if size_bytes > await self.check_value(session, name, size_bytes):
            raise self.too_large(session)
        arrived = self._files.link(there)
        try:
            await self.put_value(session, name, arrived)
        finally:
            arrived.unlink(missing_ok=True)

    async def value(self, session: Session, job_id: str, name: str) -> Path:
        """The file of a value of another job of the same owner. Raises ``NotFound``."""

        def read(tx: Transaction) -> int | None:
            mine, other = _live(tx, session), jobs.find(tx, job_id)
            if other is None or other.owner != mine.owner:
                return None
            return stored_values.attempt_of(tx, job_id, name)

        attempt = await self._store.run(read)
        if attempt is None:
            raise NotFound(
                f"The job {job_id} has no stored value {name!r}",
                next="It may have been removed with the job's history; make it again.",
                job_id=session.job_id,
            )
        return self._files.value(job_id, name, attempt)

    async def control(self, session: Session) -> ControlStream:
        """The commands for this runner, from now on; one that is due comes first."""
        job = await self._store.run(lambda tx: _live(tx, session))
        stream = self._hub.attach(job.id)
        if job.cancel_requested:
            stream.send("cancel")
        return stream

    def leave(self, session: Session, stream: ControlStream) -> None:
        """The runner's control connection ended."""
        self._hub.detach(session.job_id, stream)


def _wrong_python(job: JobRow, claim: Claim) -> CumulusError | None:
    """Why this runner's Python cannot run the job. What an image has is known only once it runs."""
    spec = job.spec
    if not spec.python_exact or claim.python == spec.python:
        return None
    where = f"The image {spec.image}" if spec.image else f"The worker {job.worker}"
    return InvalidArgument(
        f"{where} has Python {claim.python}, and the job holds pickled values that only"
        f" Python {spec.python} can read",
        next=f"Use an image with Python {spec.python}, or pass values with a neutral encoding.",
        job_id=job.id,
    )


def _live(tx: Transaction, session: Session) -> JobRow:
    """The job of a session whose attempt is the running one."""
    job = jobs.find(tx, session.job_id)
    if job is None or job.attempt != session.attempt or job.status != RUNNING:
        raise _over(session.job_id, session.attempt)
    return job


def _over(job_id: str, attempt: int) -> FailedPrecondition:
    return FailedPrecondition(f"Attempt {attempt} is over", next=_OVER, job_id=job_id)


def _take_batch(tx: Transaction, session_hash: str, batch: Batch) -> tuple[JobRow, int]:
    found = sessions.find_job(tx, session_hash)
    if found is None:
        raise Unauthenticated()
    job, attempt = found
    last = batch.first + len(batch.events) - 1
    if job.attempt == attempt and job.ended and last <= job.runner_through:
        return job, job.runner_through  # the answer to the last batch was lost, and it came again
    if job.attempt != attempt or job.status != RUNNING:
        raise _over(job.id, attempt)
    known = job.runner_through
    if batch.first > known + 1:
        raise FailedPrecondition(
            f"Event {known + 1} is missing",
            next=f"Send the events from number {known + 1} on.",
            job_id=job.id,
        )
    new = batch.events[known - batch.first + 1 :] if known >= batch.first else batch.events
    if new:
        new = _one_result(tx, job, new)
        sessions.receive(tx, job, last, new)
    tx.durable = batch.outcome is not None or job.executor not in _SAME_MACHINE
    if batch.outcome is not None:
        job = _end(tx, job, batch.outcome)
    return job, max(known, last)


def _one_result(tx: Transaction, job: JobRow, new: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The first result of an attempt stands: later ones are left out."""
    places = [index for index, (kind, _) in enumerate(new) if kind == "result"]
    if not places:
        return new
    begun, known = (events.newest_of_type(tx, job.number, kind) for kind in ("state", "result"))
    has_one = known is not None and (begun is None or known.seq > begun.seq)
    extra = set(places if has_one else places[1:])
    return [event for index, event in enumerate(new) if index not in extra]


def _end(tx: Transaction, job: JobRow, outcome: Outcome) -> JobRow:
    state, message, error = outcome.state, outcome.message, outcome.error
    if state not in END_STATES:
        raise InvalidArgument(
            f"Invalid batch: {state!r} is no end state - at `$.outcome.state`", job_id=job.id
        )
    if state == CANCELLED and job.target == COMPLETED:
        # Nobody has asked the relay for that: somebody has stopped the runner. The loop sees it go.
        return job
    if state == CANCELLED and job.target == FAILED:
        # It was ended by the relay for a reason of its own, such as its deadline.
        state, error = FAILED, job.target_error
        message = str((error or {}).get("message", message))
    return jobs.transition(tx, job.id, state, attempt=job.attempt, message=message, error=error).job
