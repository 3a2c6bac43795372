"""The small parts of the relay: state folder, history, supervisor, ids, hub."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulus_jupyter.protocol.errors import Unavailable
from cumulus_server.relay.files import Files
from cumulus_server.relay.history import History
from cumulus_server.relay.hub import Hub
from cumulus_server.relay.specs import new_job_id
from cumulus_server.relay.statedir import StateDir
from cumulus_server.relay.tokens import matches, new_token, token_hash
from cumulus_server.store import Store, Transaction, events, jobs, removal, stored_values
from cumulus_server.supervisor import Supervisor
from tests.patience import LIMIT_S


def new(job_id: str) -> jobs.NewJob:
    """A job."""
    return jobs.NewJob(job_id, "me", b'{"program":{}}', b"{}")


@pytest.fixture
async def hub() -> Hub:
    """A hub that its store feeds."""
    return Hub()


@pytest.fixture
async def store(tmp_path: Path, hub: Hub) -> AsyncIterator[Store]:
    """An open store."""
    opened = hub.store = Store(tmp_path / "test.db", hub.publish)
    opened.open()
    yield opened
    opened.close()


def test_one_relay_lives_in_a_state_folder(tmp_path: Path) -> None:
    first, second = StateDir(tmp_path / "s"), StateDir(tmp_path / "s")
    assert first.acquire()
    assert not second.acquire()
    first.announce({"url": "http://here/"})
    assert second.announced() == {"url": "http://here/"}
    assert stat.S_IMODE(first.relay_file.stat().st_mode) == 0o600
    first.release()
    assert second.acquire()
    assert second.announced() == {}
    second.release()


def test_a_lock_that_was_removed_or_replaced_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s"
    first, second = StateDir(folder), StateDir(folder)
    assert not first.lost
    assert first.acquire()
    first.announce({"url": "http://first/"})
    first.check()
    monkeypatch.setattr(first, "_held", (0, 0))
    assert not first.lost  # a file system that numbers its files anew
    monkeypatch.undo()
    folder.rename(tmp_path / "aside")
    assert first.lost
    with pytest.raises(Unavailable, match="was removed or replaced"):
        first.check()
    assert second.acquire()
    second.announce({"url": "http://second/"})
    assert first.lost and not second.lost
    first.release()
    assert not first.lost
    assert second.announced() == {"url": "http://second/"}
    (folder / "lock").unlink()
    assert second.lost
    second.release()
    assert second.announced() == {}  # it is nobody else's


def test_a_damaged_announcement_is_none(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    for text in ("", "{", "[1]", "\xff"):
        state.relay_file.write_text(text, "latin-1")
        assert state.announced() == {}


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_job_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(job_id.isalnum() and len(job_id) == 16 for job_id in ids)
    assert ids[0][:8] <= ids[-1][:8]


def test_tokens_are_known_by_their_hash_alone() -> None:
    token = new_token()
    assert matches(token, token_hash(token))
    assert not matches(new_token(), token_hash(token))
    assert not matches("", None)
    assert token not in token_hash(token)


async def test_old_jobs_leave_the_database_and_the_disk(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(tmp_path)
    files.prepare()

    def free_pages(tx: Transaction) -> int:
        return int(tx.execute("PRAGMA freelist_count").fetchone()[0])

    def make(tx: Transaction, job_id: str, ended_ms: int | None, released: bool = True) -> None:
        job = jobs.insert(tx, new(job_id)).job
        events.append(tx, job.number, job_id, 1, [("log", b'{"text":"%s"}' % (b"x" * 5000))])
        stored_values.put(tx, job_id, "v", 1, 1)
        status = "COMPLETED" if ended_ms else "QUEUED"
        tx.execute(
            "UPDATE jobs SET ended_ms = ?, released = ?, status = ? WHERE id = ?",
            (ended_ms, released, status, job_id),
        )
        files.bundle(job_id).write_bytes(b"b")
        files.value(job_id, "v", 1).parent.mkdir()
        files.value(job_id, "v", 1).write_bytes(b"v")
        assert job.number

    for number in range(120):
        await store.run(lambda tx, n=number: make(tx, f"old{n}", 1000))  # type: ignore[misc]
    await store.run(lambda tx: make(tx, "held", 1000, released=False))
    await store.run(lambda tx: make(tx, "fresh", 2**50))
    await store.run(lambda tx: make(tx, "live", None))
    files.bundle("stray").write_bytes(b"b")
    monkeypatch.setattr(removal, "_PAGES", 50)
    history = History(store, files, 3600)
    await history.remove_strays()
    assert "stray" not in files.kept()
    assert await history.sweep() == 120
    assert await store.run(free_pages) == 0
    assert await history.sweep() == 0
    assert files.kept() == {"held", "fresh", "live"}
    assert await store.run(lambda tx: tx.execute("SELECT count(*) FROM events").fetchone()[0]) == 6
    for table in ("programs", "stored_values", "jobs"):
        query = f"SELECT count(*) FROM {table}"
        assert await store.run(lambda tx, query=query: tx.execute(query).fetchone()[0]) == 3  # type: ignore[misc]


async def test_the_supervisor_names_restarts_and_ends_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cumulus_server.supervisor._BACKOFF_FIRST_S", 0.0)
    supervisor, runs, thrice = Supervisor(), [], asyncio.Event()

    async def crash() -> None:
        runs.append(1)
        if len(runs) == 3:
            thrice.set()
            await asyncio.Event().wait()
        raise RuntimeError("on purpose")

    async def once() -> None:
        raise RuntimeError("on purpose")

    supervisor.start("crashing", crash, restart=True)
    supervisor.start("once", once)
    with pytest.raises(ValueError, match="running already"):
        supervisor.start("once", once)
    await asyncio.wait_for(thrice.wait(), LIMIT_S)
    assert supervisor.names == ["crashing"]
    await supervisor.stop()
    await supervisor.stop()
    assert supervisor.names == []


async def test_a_follower_takes_from_memory_and_from_the_store(store: Store, hub: Hub) -> None:
    with hub.follow("a", new=True) as early:
        job = (await store.run(lambda tx: jobs.insert(tx, new("a")))).job

        async def append(count: int) -> None:
            def write(tx: Transaction) -> None:
                body = [("log", json.dumps({"text": "x" * 4000}).encode())] * count
                events.append(tx, job.number, "a", jobs.get(tx, "a").last_seq, body)

            await store.run(write, durable=False)

        assert [event.seq for event in await early.next(job.number, LIMIT_S)] == [1]
        await append(2)
        assert [event.seq for event in await early.next(job.number, LIMIT_S)] == [2, 3]
        await append(2000)  # more than is kept in memory
        with hub.follow("a", 1) as late:
            for follower in (early, late):
                while follower.cursor < 2003:
                    first = follower.cursor + 1
                    batch = await follower.next(job.number, LIMIT_S)
                    assert [event.seq for event in batch] == list(range(first, batch[-1].seq + 1))
        assert await early.next(job.number, 0.01) == []
        assert hub.followed == 1
    assert hub.followed == 0
    assert await early.next(job.number, LIMIT_S) == []


async def test_a_stopping_hub_lets_everybody_go(store: Store, hub: Hub) -> None:
    job = (await store.run(lambda tx: jobs.insert(tx, new("a")))).job
    follower, control = hub.follow("a", 1), hub.attach("a")
    waiting = asyncio.ensure_future(follower.next(job.number, 60))
    commands = asyncio.ensure_future(_all(control.commands(60)))
    await asyncio.sleep(0)
    assert hub.control("a", "cancel")
    hub.close()
    assert await asyncio.wait_for(waiting, LIMIT_S) == []
    assert await asyncio.wait_for(commands, LIMIT_S) == ["cancel"]


async def test_a_newer_control_stream_replaces_the_older(hub: Hub) -> None:
    older, newer = hub.attach("a"), hub.attach("a")
    assert await asyncio.wait_for(_all(older.commands(60)), LIMIT_S) == []
    hub.detach("a", older)
    assert hub.control("a", "cancel")
    hub.detach("a", newer)
    assert not hub.control("a", "cancel")


async def _all(commands: AsyncIterator[str]) -> list[str]:
    return [command async for command in commands]
