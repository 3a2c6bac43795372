"""The store: whole or not at all, in order, and few waits for the disk."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from cumulus_jupyter.protocol.errors import FailedPrecondition, ResourceExhausted, Unavailable
from cumulus_server.store import Store, StoredEvent, Transaction, events, jobs, meta
from cumulus_server.store.database import open_database
from cumulus_server.store.migrations import migrate, migrations


class Follower:
    """What the store publishes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def __call__(self, job_id: str, events: Sequence[StoredEvent]) -> None:
        """Remember."""
        self.seen += [(job_id, event.seq) for event in events]


@pytest.fixture
async def follower() -> Follower:
    """Who follows."""
    return Follower()


@pytest.fixture
async def store(tmp_path: Path, follower: Follower) -> AsyncIterator[Store]:
    """An open store."""
    opened = Store(tmp_path / "state" / "test.db", follower)
    opened.open()
    yield opened
    opened.close()


def new(job_id: str) -> jobs.NewJob:
    """A job."""
    return jobs.NewJob(job_id, "me", b'{"program":{}}', b'{"big":1}')


async def test_what_was_stored_is_there_after_reopening(store: Store) -> None:
    moved = await store.run(lambda tx: jobs.insert(tx, new("a")))
    assert (moved.job.status, moved.job.last_seq) == ("QUEUED", 1)
    relay_id = await store.run(meta.relay_id)
    store.close()
    again = Store(store.path)
    again.open()
    job = await again.run(lambda tx: jobs.get(tx, "a"))
    assert job == moved.job
    assert await again.run(lambda tx: jobs.program(tx, job)) == b'{"big":1}'
    assert await again.run(meta.relay_id) == relay_id
    again.close()


async def test_what_raises_leaves_nothing_and_publishes_nothing(store: Store, follower: Follower) -> None:
    def half(tx: Transaction) -> None:
        jobs.insert(tx, new("a"))
        raise FailedPrecondition("on purpose")

    with pytest.raises(FailedPrecondition):
        await store.run(half)
    with pytest.raises(FailedPrecondition):
        await store.run(half, slow=True)
    assert await store.run(lambda tx: jobs.find(tx, "a")) is None
    assert follower.seen == []


async def test_others_are_not_held_up_by_one_that_raises(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        raise ValueError("on purpose")

    results = await asyncio.gather(
        store.run(lambda tx: jobs.insert(tx, new("a"))),
        store.run(fail),
        store.run(lambda tx: jobs.insert(tx, new("b"))),
        return_exceptions=True,
    )
    assert isinstance(results[1], ValueError)
    assert await store.run(lambda tx: jobs.get(tx, "a").status + jobs.get(tx, "b").status) == "QUEUEDQUEUED"


async def test_many_commits_share_a_sync(store: Store, follower: Follower) -> None:
    await asyncio.gather(*(store.run(lambda tx, n=n: jobs.insert(tx, new(f"j{n}"))) for n in range(500)))  # type: ignore[misc]
    assert store.syncs < 50
    assert follower.seen == [(f"j{n}", 1) for n in range(500)]


async def test_reads_wait_for_no_sync(store: Store) -> None:
    await store.run(lambda tx: jobs.insert(tx, new("a")))
    before = store.syncs
    for _ in range(20):
        await store.run(lambda tx: jobs.get(tx, "a"))
    await store.run(lambda tx: meta.put(tx, "k", "v"), durable=False)
    assert store.syncs == before


async def test_a_function_may_say_that_it_need_not_wait(store: Store) -> None:
    def write(tx: Transaction) -> None:
        meta.put(tx, "k", "v")
        tx.durable = False

    before = store.syncs
    await store.run(write)
    assert store.syncs == before


async def test_committed_is_told_before_the_disk_is_waited_for(store: Store) -> None:
    told = []
    before = store.syncs
    job = await store.run(
        lambda tx: jobs.insert(tx, new("a")).job, committed=lambda job: told.append((job.id, store.syncs))
    )
    assert told == [(job.id, before)]
    assert store.syncs == before + 1


async def test_events_are_published_in_order_whoever_waits_for_the_disk(
    store: Store, follower: Follower
) -> None:
    job = (await store.run(lambda tx: jobs.insert(tx, new("a")))).job

    def append(tx: Transaction) -> int:
        last = jobs.get(tx, "a").last_seq
        events.append(tx, job.number, "a", last, [("log", b'{"type":"log"}')])
        return last + 1

    await asyncio.gather(
        *(store.run(append, durable=number % 3 == 0, slow=number % 7 == 0) for number in range(200))
    )
    assert [seq for _, seq in follower.seen] == list(range(1, 202))


async def test_slow_work_keeps_its_place(store: Store) -> None:
    order: list[str] = []

    def step(name: str) -> None:
        order.append(name)

    await asyncio.gather(
        store.run(lambda tx: step("first")),
        store.run(lambda tx: step("slow"), slow=True),
        store.run(lambda tx: step("last")),
    )
    assert order == ["first", "slow", "last"]


async def test_a_checkpoint_comes_by_itself(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(600):
        await store.run(lambda tx, n=number: jobs.insert(tx, new(f"j{n}")), durable=False)  # type: ignore[misc]
    store.close()
    conn = sqlite3.connect(store.path)
    assert conn.execute("SELECT count(*) FROM jobs").fetchone() == (600,)
    conn.close()
    log = store.path.with_name(store.path.name + "-wal")
    assert not log.exists() or log.stat().st_size < 16 << 20


async def test_a_closed_store_says_so_and_has_finished_what_was_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "test.db")
    store.open()
    pending = [
        asyncio.ensure_future(store.run(lambda tx, n=n: meta.put(tx, f"k{n}", "v"))) for n in range(10)
    ]  # type: ignore[misc]
    pending.insert(5, asyncio.ensure_future(store.run(lambda tx: meta.put(tx, "slow", "v"), slow=True)))
    await asyncio.sleep(0)
    store.close()
    store.close()
    await asyncio.gather(*pending)
    with pytest.raises(Unavailable):
        await store.run(lambda tx: meta.get(tx, "k"))
    conn = sqlite3.connect(store.path)
    assert conn.execute("SELECT count(*) FROM meta").fetchone() == (11,)
    conn.close()


async def test_a_full_disk_refuses_and_spoils_nothing(store: Store, follower: Follower) -> None:
    await store.run(lambda tx: jobs.insert(tx, new("before")))
    pages = await store.run(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
    assert store._conn is not None
    store._conn.execute(f"PRAGMA max_page_count = {pages + 4}")
    big = jobs.NewJob("big", "me", b'{"program":{}}', b"x" * 200_000)
    results = await asyncio.gather(
        store.run(lambda tx: jobs.insert(tx, big)), store.run(meta.relay_id), return_exceptions=True
    )
    assert isinstance(results[0], ResourceExhausted)
    assert isinstance(results[1], str)
    assert follower.seen == [("before", 1)]
    store._conn.execute("PRAGMA max_page_count = 1073741823")
    await store.run(lambda tx: jobs.insert(tx, big))
    assert (await store.run(lambda tx: tx.execute("PRAGMA integrity_check").fetchone()[0])) == "ok"


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable):
        Store(tmp_path / "file" / "test.db").open()


def schema(conn: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Every object of a database."""
    rows = conn.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return [tuple(row) for row in rows]


def test_a_fresh_database_equals_a_migrated_one(tmp_path: Path) -> None:
    fresh = open_database(tmp_path / "fresh.db")
    for known in range(len(migrations()) + 1):
        old = sqlite3.connect(tmp_path / f"old{known}.db", isolation_level=None)
        for number, script in enumerate(migrations()[:known], start=1):
            old.executescript(f"BEGIN;{script};PRAGMA user_version={number};COMMIT;")
        migrate(old)
        assert schema(old) == schema(fresh)
        assert old.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        old.close()
    fresh.close()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    conn = open_database(tmp_path / "a.db")
    conn.execute("PRAGMA user_version = 999")
    with pytest.raises(FailedPrecondition, match="newer"):
        migrate(conn)
    conn.close()


async def test_events_are_read_by_the_page_and_by_type(store: Store) -> None:
    job = (await store.run(lambda tx: jobs.insert(tx, new("a")))).job
    other = (await store.run(lambda tx: jobs.insert(tx, new("b")))).job
    bodies = [("log", b'{"n":%d}' % number) for number in range(10)]
    await store.run(lambda tx: events.append(tx, job.number, "a", 1, bodies))
    await store.run(lambda tx: events.append(tx, other.number, "b", 1, bodies))
    page = await store.run(lambda tx: events.after(tx, job.number, 4, 3))
    assert [event.seq for event in page] == [5, 6, 7]
    assert json.loads(page[0].body)["n"] == 3
    logs = await store.run(lambda tx: events.of_type_after(tx, job.number, 9, "log", 10))
    assert [event.seq for event in logs] == [10, 11]
    newest = await store.run(lambda tx: events.newest_of_type(tx, job.number, "state"))
    assert newest is not None
    assert newest.seq == 1
    await store.run(lambda tx: events.delete(tx, job.number))
    assert await store.run(lambda tx: events.after(tx, job.number, 0, 10)) == []
    assert len(await store.run(lambda tx: events.after(tx, other.number, 0, 100))) == 11
