"""What clients ask of the relay: submit, look, cancel, fetch."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cumulus_jupyter.protocol.errors import CumulusError, FailedPrecondition, NotFound
from cumulus_jupyter.protocol.jobs import CANCELLED, JobList, JobResult, JobView, Stats, WorkerList

from ..store import JobRow, Store, StoredEvent, Transaction, events, jobs, listing, stored_values
from . import log_pages
from .bundles import check_bundle
from .contract import Placement, Waker
from .files import Files
from .hub import Follower, Hub
from .specs import decode_submission, encode_spec, new_job_id
from .views import Views

_LOG_PAGE = 256


@dataclass(frozen=True)
class Submitted:
    """A job that is on disk."""

    job: JobRow
    #: False: the idempotency key named a job that was there already.
    created: bool
    #: From the job's first event on. The caller closes it.
    follower: Follower


class _Log(msgspec.Struct):
    stream: str
    text: str


_log = msgspec.json.Decoder(_Log)


class Submissions:
    """The jobs as their owners handle them. Every method checks the owner."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        files: Files,
        placement: Placement,
        views: Views,
        waker: Waker,
        bundle_limit_bytes: int,
    ) -> None:
        self._store = store
        self._hub = hub
        self._files = files
        self._placement = placement
        self._views = views
        self._waker = waker
        self._bundle_limit_bytes = bundle_limit_bytes

    async def submit(self, owner: str, body: bytes, bundle: Path | None, key: str | None) -> Submitted:
        """Check and store a job; when this returns, it is on disk. ``bundle`` is taken over."""
        spec, program = decode_submission(body)
        job_id = new_job_id()
        bundle_bytes = 0 if bundle is None else self._files.size(bundle)
        digest = "" if key is None else hashlib.sha256(b"%d:" % bundle_bytes + body).hexdigest()
        new = jobs.NewJob(job_id, owner, encode_spec(spec), program, bundle_bytes, key, digest)
        try:
            await self._placement.check(spec)
        except CumulusError:
            known = await self._store.run(lambda tx: _known(tx, new))
            if known is None:
                raise
            return Submitted(known, False, self._hub.follow(known.id))  # it has the place that is wanted
        if bundle is not None:
            await asyncio.to_thread(self._take_bundle, job_id, bundle)
        follower = self._hub.follow(job_id, new=True)
        try:
            job, created = await self._store_job(new)
        except BaseException:
            follower.close()
            self._files.forget(job_id)
            raise
        if not created:
            follower.close()
            self._files.forget(job_id)
            return Submitted(job, False, self._hub.follow(job.id))
        return Submitted(job, True, follower)

    def _take_bundle(self, job_id: str, arrived: Path) -> None:
        check_bundle(arrived, self._bundle_limit_bytes)
        self._files.keep(arrived, self._files.bundle(job_id), sync=False)

    async def _store_job(self, new: jobs.NewJob) -> tuple[JobRow, bool]:
        """Commit the job, then wait until it and its bundle are on the disk.

        The loop may begin meanwhile: nothing is promised to anybody before this returns.
        """
        insert = self._store.run(
            lambda tx: _insert_once(tx, new), committed=lambda done: self._waker.wake(done[0].id)
        )
        if not new.bundle_bytes:
            return await insert
        sync = asyncio.to_thread(self._files.sync, self._files.bundle(new.id))
        stored, synced = await asyncio.gather(insert, sync, return_exceptions=True)
        if isinstance(stored, BaseException):
            raise stored
        if isinstance(synced, CumulusError):
            await self.cancel(new.owner, new.id)
        if isinstance(synced, BaseException):
            raise synced
        return stored

    async def row(self, owner: str, job_id: str) -> JobRow:
        """The job of this owner. Raises ``NotFound``, also for somebody else's."""
        return await self._store.run(lambda tx: _own(tx, owner, job_id))

    async def get(self, owner: str, job_id: str) -> JobView:
        """The job as its owner sees it."""
        return await self._store.run(lambda tx: self._views.job(tx, _own(tx, owner, job_id)))

    async def page(self, owner: str, query: listing.Query) -> JobList:
        """One page of the owner's jobs, newest first."""
        numbers, cursor = await self._store.run(
            lambda tx: listing.page(tx, owner, query), slow=query.searches
        )
        views = await self._store.run(
            lambda tx: [self._views.job(tx, row) for row in listing.of_numbers(tx, numbers)]
        )
        return JobList(views, cursor)

    async def cancel(self, owner: str, job_id: str) -> JobView:
        """Ask for the job's end. Asking again, or after its end, changes nothing."""

        def ask(tx: Transaction) -> JobView:
            _own(tx, owner, job_id)
            return self._views.job(tx, jobs.set_target(tx, job_id, CANCELLED))

        view = await self._store.run(ask)
        self._waker.wake(job_id)
        return view

    def follow(self, job: JobRow, after: int) -> Follower:
        """Follow a job's events. The caller closes it."""
        return self._hub.follow(job.id, after)

    async def events_page(self, job: JobRow, after: int, limit: int) -> list[bytes]:
        """JSON of at most ``limit`` stored events behind ``after``."""
        page = await self._store.run(lambda tx: events.after(tx, job.number, after, limit))
        return [event.body for event in page]

    async def logs(self, job: JobRow, stream: str | None) -> AsyncIterator[str]:
        """What the job wrote so far, in order; of one stream, or of both."""
        page = await self._log_page(job, 0)
        while page:
            for event in page:
                log = _log.decode(event.body)
                if stream is None or log.stream == stream:
                    yield log.text
            page = await self._log_page(job, page[-1].seq)

    async def _log_page(self, job: JobRow, after: int) -> list[StoredEvent]:
        return await self._store.run(lambda tx: events.of_type_after(tx, job.number, after, "log", _LOG_PAGE))

    async def log_page(self, owner: str, job_id: str, after: int | None, before: int) -> bytes:
        """JSON of the newest page of a job's log behind event ``after`` and before event ``before``."""
        return await self._store.run(lambda tx: log_pages.read(tx, _own(tx, owner, job_id), after, before))

    async def result(self, owner: str, job_id: str) -> JobResult:
        """What the job left; ``result`` is ``None`` while it runs."""

        def read(tx: Transaction) -> JobResult:
            job = _own(tx, owner, job_id)
            event = events.newest_of_type(tx, job.number, "result")
            body: dict[str, Any] | None = None if event is None else msgspec.json.decode(event.body)
            return JobResult(job.id, job.status, body, job.error)

        return await self._store.run(read)

    async def value(self, owner: str, job_id: str, name: str) -> Path:
        """The file of a stored value. Raises ``NotFound``."""

        def read(tx: Transaction) -> int | None:
            _own(tx, owner, job_id)
            return stored_values.attempt_of(tx, job_id, name)

        attempt = await self._store.run(read)
        if attempt is None:
            raise NotFound(f"The job has no stored value {name!r}", job_id=job_id)
        return self._files.value(job_id, name, attempt)

    async def stats(self, owner: str) -> Stats:
        """Counts over the owner's kept history."""
        return await self._store.run(lambda tx: listing.stats(tx, owner), slow=True)

    async def workers(self, owner: str) -> WorkerList:
        """All workers, with the owner's jobs by name."""
        workers = self._placement.workers()
        return WorkerList(await self._store.run(lambda tx: self._views.workers(tx, owner, workers)))


def _own(tx: Transaction, owner: str, job_id: str) -> JobRow:
    job = jobs.find(tx, job_id)
    if job is None or job.owner != owner:
        raise NotFound(f"Job not found: {job_id}", next="List your jobs with %cumulus jobs.", job_id=job_id)
    return job


def _insert_once(tx: Transaction, new: jobs.NewJob) -> tuple[JobRow, bool]:
    known = _known(tx, new)
    return (jobs.insert(tx, new).job, True) if known is None else (known, False)


def _known(tx: Transaction, new: jobs.NewJob) -> JobRow | None:
    """The job that this submission has become before. Raises where its key was used for another one."""
    found = None if new.idempotency_key is None else jobs.find_idempotent(tx, new.owner, new.idempotency_key)
    if found is None:
        return None
    row, digest = found
    if digest != new.request_hash:
        raise FailedPrecondition(
            "This Idempotency-Key was used for another submission",
            next="Use a new key for a new job.",
            job_id=row.id,
        )
    return row
