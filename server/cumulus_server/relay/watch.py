"""What changes, told to the pages that watch: jobs, workers, the relay itself.

A watcher keeps no views, only what it has to look at: it reads them when its page can take them. So a slow
page is told less often, and always what is true then. Where nobody watches, nothing is noted or computed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from cumulus_jupyter.protocol.jobs import QUEUED, JobView, RelayPlace, WorkerView

from ..store import JobRow, Store, StoredEvent, Transaction, jobs, listing
from .contract import Placement
from .views import Views

#: A page is told of changes at most once in so long.
GATHER_S = 0.25
#: What has changed waits so long for company: the states of a quick job come together.
_COMPANY_S = 0.02
#: How often it is looked whether workers, or places in the queue, have changed.
_TICK_S = 0.5
#: With more changed jobs than this, all are told anew.
_DELTA = 100
#: Jobs that are told of when all are: so many of the newest, and so many of those that have not ended.
NEWEST, ACTIVE = 100, 1000
#: Rows that are made into views before others get their turn.
_AT_ONCE = 50
#: Telling takes no more than this part of a watcher's time.
_PART = 1 / 20
#: Places behind this one are told of when they have come a tenth closer.
_NEAR = 20

_encode = msgspec.json.Encoder().encode
#: The name of an event, and its JSON.
News = tuple[str, bytes]


class Watch:
    """All watchers. Lives on the event loop."""

    def __init__(
        self, store: Store, views: Views, placement: Placement, place: Callable[[], RelayPlace]
    ) -> None:
        self.store = store
        self.views = views
        self.placement = placement
        self.place = place
        self._watchers: set[Watcher] = set()
        self._workers: tuple[int, list[WorkerView]] = (-1, [])
        self._closed = False

    def open(self, owner: str) -> Watcher:
        """A watcher of this owner's jobs, and of the workers. Whoever opens it closes it."""
        watcher = Watcher(self, owner)
        if self._closed:
            watcher.closed = True
        else:
            self._watchers.add(watcher)
        return watcher

    def committed(self, job_id: str, new: Sequence[StoredEvent]) -> None:
        """A job has new events."""
        if not self._watchers:
            return
        owner = self.views.owner(job_id)
        for watcher in self._watchers:
            if owner is None or owner == watcher.owner:
                watcher.touch(job_id)

    def removed(self) -> None:
        """Jobs are gone, which no event tells."""
        for watcher in self._watchers:
            watcher.touch_all()

    def workers(self) -> list[WorkerView]:
        """All workers, computed anew only where they may have changed."""
        version = self.placement.workers_version()
        if version != self._workers[0]:
            self._workers = (version, self.placement.workers())
        return self._workers[1]

    def leave(self, watcher: Watcher) -> None:
        """This watcher is closed."""
        self._watchers.discard(watcher)
        if not self._watchers:
            self._workers = (-1, [])

    def close(self) -> None:
        """End every watcher: the relay is stopping."""
        self._closed = True
        for watcher in list(self._watchers):
            watcher.close()

    @property
    def watchers(self) -> int:
        """How many there are now."""
        return len(self._watchers)


class Watcher:
    """What one page has not been told yet. Close it, or use it as a context manager."""

    def __init__(self, watch: Watch, owner: str) -> None:
        self.owner = owner
        #: True once nobody reads this any more, or the relay is stopping.
        self.closed = False
        self._watch = watch
        self._woken = asyncio.Event()
        #: Jobs to be looked at, at most ``_DELTA``; with ``_all``, every one.
        self._touched: set[str] = set()
        self._all = True
        #: The places of the waiting jobs, as they were told.
        self._places: dict[str, int | None] = {}
        self._workers_version = -1
        self._told: dict[str, bytes] = {}
        #: Loop time before which nothing is told.
        self._due = 0.0

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching; a pending wait ends. Idempotent."""
        self.closed = True
        self._watch.leave(self)
        self._woken.set()

    def touch(self, job_id: str) -> None:
        """Something is new of this job."""
        if self._all or job_id in self._touched:
            return
        self._touched.add(job_id)
        if len(self._touched) > _DELTA:
            self.touch_all()
        self._woken.set()

    def touch_all(self) -> None:
        """What is told one by one would not do."""
        self._touched.clear()
        self._all = True
        self._woken.set()

    async def next(self, timeout_s: float) -> list[News]:
        """What is to be told, as soon as there is something; empty after ``timeout_s`` or a close."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self.closed:
            if self._has_news():
                self._due = max(self._due, loop.time() + (_COMPANY_S if self._told else 0))
                while not self.closed and loop.time() < self._due:
                    await self._wait(self._due)
                started = loop.time()
                news = await self._collect()
                now = loop.time()
                self._due = now + max(GATHER_S, (now - started) / _PART)
                if news:
                    return news
            if loop.time() >= deadline:
                break
            await self._wait(min(deadline, loop.time() + _TICK_S))
        return []

    async def _wait(self, until: float) -> None:
        self._woken.clear()
        if self.closed:
            return
        try:
            async with asyncio.timeout_at(until):
                await self._woken.wait()
        except TimeoutError:
            return

    def _has_news(self) -> bool:
        if self._all or self._workers_version != self._watch.placement.workers_version():
            return True
        for job_id, told in self._places.items():
            if _has_moved(told, self._watch.placement.position(job_id)):
                self.touch(job_id)
        return self._all or bool(self._touched)

    async def _collect(self) -> list[News]:
        """What is true now of whatever has changed."""
        if self.closed:
            return []
        everything, touched = self._all, self._touched
        self._all, self._touched = False, set()
        news: list[News] = []
        version = self._watch.placement.workers_version()
        others, self._workers_version = version != self._workers_version, version
        if others:
            news += self._if_new("relay", _encode(self._watch.place()))
        if everything:
            news.append(("jobs", await self._every_job()))
        elif touched:
            news += await self._watch.store.run(lambda tx: self._some_jobs(tx, touched))
        if others:
            news += self._if_new("workers", await self._watch.store.run(self._all_workers))
        return news

    def _if_new(self, name: str, body: bytes) -> list[News]:
        if self._told.get(name) == body:
            return []
        self._told[name] = body
        return [(name, body)]

    def _all_workers(self, tx: Transaction) -> bytes:
        workers = self._watch.views.workers(tx, self.owner, self._watch.workers())
        return _encode({"workers": workers})

    def _some_jobs(self, tx: Transaction, job_ids: set[str]) -> list[News]:
        rows = [row for job_id in job_ids if (row := jobs.find(tx, job_id)) is not None]
        rows.sort(key=lambda row: row.number)
        return [("job", self._view(tx, row)) for row in rows if row.owner == self.owner]

    async def _every_job(self) -> bytes:
        """The newest and the active jobs, newest first."""
        store = self._watch.store
        numbers = await store.run(lambda tx: listing.newest_and_active(tx, self.owner, NEWEST, ACTIVE))
        self._places = {}
        views: list[bytes] = []
        for start in range(0, len(numbers), _AT_ONCE):
            views += await store.run(partial(self._views, numbers=numbers[start : start + _AT_ONCE]))
            await asyncio.sleep(0)
        return b'{"jobs":[' + b",".join(views) + b"]}"

    def _views(self, tx: Transaction, numbers: list[int]) -> list[bytes]:
        return [self._view(tx, row) for row in listing.of_numbers(tx, numbers)]

    def _view(self, tx: Transaction, row: JobRow) -> bytes:
        view: JobView = self._watch.views.job(tx, row)
        if view.state == QUEUED:
            self._places[view.id] = view.position
        else:
            self._places.pop(view.id, None)
        return _encode(view)


def _has_moved(told: int | None, now: int | None) -> bool:
    """Whether a waiting job's place is worth telling again."""
    if told is None or now is None:
        return told != now
    closer = abs(told - now)
    return closer > 0 and (now <= _NEAR or closer >= told // 10)
