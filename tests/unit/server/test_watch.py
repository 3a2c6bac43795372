"""A watcher is told what changed, gathered, and keeps next to nothing; unwatched, nothing is computed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_jupyter.protocol.jobs import EMBEDDED, RelayPlace, WorkerView
from cumulus_server.relay import watch
from cumulus_server.relay.views import Views
from cumulus_server.relay.watch import Watch
from cumulus_server.store import JobRow, Store, StoredEvent, Transaction, events, jobs
from tests.patience import LIMIT_S


class Placement:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.places: dict[str, int] = {}
        self.version = 0

    def position(self, job_id: str) -> int | None:
        self.asked.append("position")
        return self.places.get(job_id)

    def workers(self) -> list[WorkerView]:
        self.asked.append("workers")
        return [WorkerView("w", "process", "ready", 1.0, 1)]

    def workers_version(self) -> int:
        self.asked.append("version")
        return self.version


class Relay:
    """Store and watch, as in a relay."""

    def __init__(self, path: Path) -> None:
        self.placement: Any = Placement()
        views = Views(self.placement)
        self.store = Store(path, self.committed)
        self.watch = Watch(self.store, views, self.placement, lambda: RelayPlace(EMBEDDED))
        self.store.open()

    def committed(self, job_id: str, new: list[StoredEvent] | Any) -> None:
        self.watch.views.reports.committed(job_id, new)
        self.watch.committed(job_id, new)

    async def submit(self, job_id: str, owner: str = "ann") -> None:
        new = jobs.NewJob(job_id, owner, b'{"program":{}}', b"{}")
        await self.store.run(lambda tx: jobs.insert(tx, new), durable=False)

    async def say(self, job_id: str, times: int = 1) -> None:
        def write(tx: Transaction) -> JobRow:
            job = jobs.get(tx, job_id)
            events.append(tx, job.number, job_id, job.last_seq, [("log", b'{"type":"log"}')] * times)
            return job

        await self.store.run(write, durable=False)

    async def end(self, job_id: str) -> None:
        await self.store.run(lambda tx: jobs.transition(tx, job_id, "CANCELLED"), durable=False)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    made = Relay(tmp_path / "test.db")
    yield made
    made.store.close()


def read(news: list[watch.News]) -> list[tuple[str, Any]]:
    return [(name, json.loads(body)) for name, body in news]


async def test_a_watcher_is_told_what_there_is_and_then_what_changed(relay: Relay) -> None:
    await relay.submit("a")
    with relay.watch.open("ann") as watcher:
        first = read(await watcher.next(LIMIT_S))
        assert [name for name, _ in first] == ["relay", "jobs", "workers"]
        assert [job["id"] for job in first[1][1]["jobs"]] == ["a"]
        await relay.submit("b")
        await relay.say("a")
        told = read(await watcher.next(LIMIT_S))
        assert [(name, job["id"], job["last_seq"]) for name, job in told] == [
            ("job", "a", 2),
            ("job", "b", 1),
        ]
        assert await watcher.next(0) == []


async def test_changes_of_a_while_come_together(relay: Relay) -> None:
    await relay.submit("a")
    loop = asyncio.get_running_loop()
    first = loop.time()
    with relay.watch.open("ann") as watcher:
        await watcher.next(LIMIT_S)
        due = watcher._due
        for _ in range(50):
            await relay.say("a")
        [(_, job)] = read(await watcher.next(LIMIT_S))
        assert job["last_seq"] == 51
        assert loop.time() >= due >= first + watch.GATHER_S


async def test_who_reads_slowly_keeps_no_queue(relay: Relay) -> None:
    with relay.watch.open("ann") as watcher:
        await watcher.next(LIMIT_S)
        for number in range(300):
            await relay.submit(f"j{number}")
            await relay.say(f"j{number}", 5)
        assert len(watcher._touched) <= watch._DELTA
        told = read(await watcher.next(LIMIT_S))
        assert [name for name, _ in told] == ["jobs"]
        assert len(told[0][1]["jobs"]) == 300
        assert told[0][1]["jobs"][0]["id"] == "j299"


async def test_of_many_ended_jobs_the_newest_are_told_and_of_the_active_ones_so_many(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "NEWEST", 10)
    monkeypatch.setattr(watch, "ACTIVE", 5)
    for number in range(30):
        await relay.submit(f"j{number:02}")
        if number > 12:
            await relay.end(f"j{number:02}")
    with relay.watch.open("ann") as watcher:
        told = dict(read(await watcher.next(LIMIT_S)))["jobs"]["jobs"]
        assert [job["id"] for job in told] == [
            *(f"j{number}" for number in range(29, 19, -1)),
            *(f"j{number:02}" for number in range(12, 7, -1)),
        ]


async def test_somebody_elses_jobs_are_neither_told_nor_noted(relay: Relay) -> None:
    await relay.submit("his", "bob")
    with relay.watch.open("ann") as ann, relay.watch.open("bob") as bob:
        assert dict(read(await ann.next(LIMIT_S)))["jobs"] == {"jobs": []}
        await bob.next(LIMIT_S)
        await relay.say("his")
        assert not ann._touched
        assert read(await bob.next(LIMIT_S))[0][1]["id"] == "his"


async def test_nothing_is_computed_while_nobody_watches(relay: Relay) -> None:
    with relay.watch.open("ann") as watcher:
        await watcher.next(LIMIT_S)
    assert relay.watch.watchers == 0
    relay.placement.asked.clear()
    await relay.submit("a")
    await relay.say("a")
    await asyncio.sleep(0)
    assert relay.placement.asked == []


async def test_all_watchers_share_one_look_at_the_workers(relay: Relay) -> None:
    with relay.watch.open("ann") as ann, relay.watch.open("bob") as bob:
        await ann.next(LIMIT_S)
        await bob.next(LIMIT_S)
        relay.placement.version += 1
        assert await ann.next(0) == []  # the same as before
        assert await bob.next(0) == []
    assert relay.placement.asked.count("workers") == 2


async def test_places_far_behind_are_told_when_they_have_come_closer(relay: Relay) -> None:
    await relay.submit("near")
    await relay.submit("far")
    relay.placement.places = {"near": 10, "far": 200}
    with relay.watch.open("ann") as watcher:
        await watcher.next(LIMIT_S)
        relay.placement.places = {"near": 9, "far": 199}
        assert [(job["id"], job["position"]) for _, job in read(await watcher.next(LIMIT_S))] == [("near", 9)]
        relay.placement.places = {"near": 9, "far": 180}
        assert [(job["id"], job["position"]) for _, job in read(await watcher.next(LIMIT_S))] == [
            ("far", 180)
        ]


async def test_jobs_that_left_the_history_leave_the_page(relay: Relay) -> None:
    await relay.submit("a")
    with relay.watch.open("ann") as watcher:
        await watcher.next(LIMIT_S)
        await relay.store.run(lambda tx: tx.execute("DELETE FROM jobs"))
        relay.watch.removed()
        assert read(await watcher.next(LIMIT_S)) == [("jobs", {"jobs": []})]


async def test_a_stop_lets_everybody_go(relay: Relay) -> None:
    watcher = relay.watch.open("ann")
    await watcher.next(LIMIT_S)
    waiting = asyncio.ensure_future(watcher.next(LIMIT_S))
    await asyncio.sleep(0)
    relay.watch.close()
    assert await asyncio.wait_for(waiting, LIMIT_S) == []
    assert watcher.closed
    late = relay.watch.open("ann")
    assert late.closed
    assert await late.next(LIMIT_S) == []
    assert relay.watch.watchers == 0


async def test_telling_takes_but_a_part_of_the_time(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    with relay.watch.open("ann") as watcher:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(watch, "_PART", 1e-9)
        await relay.submit("a")
        await watcher.next(LIMIT_S)
        assert watcher._due > loop.time() + LIMIT_S
