"""The store where others are about: who writes to its database too, who takes its place, and much at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulus_jupyter.protocol.errors import Unavailable
from cumulus_server.store import Store, Transaction, events, jobs, meta
from tests.patience import LIMIT_S


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open store."""
    opened = Store(tmp_path / "test.db")
    opened.open()
    yield opened
    opened.close()


async def test_another_process_that_writes_holds_up_nothing_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cumulus_server.store.database._OTHERS_MS", int(LIMIT_S * 1000))
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(store.run(lambda tx: meta.put(tx, "k", "v")))
    reading = asyncio.ensure_future(store.run(lambda tx: meta.get(tx, "k")))
    for _ in range(10):
        await asyncio.sleep(0)  # the loop goes on
    assert not writing.done()
    other.execute("COMMIT")
    before = store.syncs
    await writing
    assert await reading == "v"
    assert store.syncs == before + 1
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()


async def test_another_process_that_goes_on_writing_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cumulus_server.store.database._OTHERS_MS", 10)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await store.run(lambda tx: meta.put(tx, "k", "v"))
    other.close()
    await store.run(lambda tx: meta.put(tx, "k", "v"))


async def test_nothing_is_done_to_a_database_that_is_not_to_be_used(tmp_path: Path) -> None:
    lost: list[Exception] = []

    def allow() -> None:
        for error in lost:
            raise error

    store = Store(tmp_path / "test.db", allow=allow)
    store.open()
    await store.run(lambda tx: meta.put(tx, "k", "before"))
    lost.append(Unavailable("it is another relay's"))
    for slow in (False, True):
        with pytest.raises(Unavailable, match="another relay's"):
            await store.run(lambda tx: meta.put(tx, "k", "after"), slow=slow)
    lost.clear()
    assert await store.run(lambda tx: meta.get(tx, "k")) == "before"
    store.close()


async def test_the_log_stays_small_where_much_is_written_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cumulus_server.store.writer._CHECKPOINT_BYTES", 4 << 20)
    new = jobs.NewJob("a", "me", b'{"program":{}}', b"{}")
    job = (await store.run(lambda tx: jobs.insert(tx, new))).job

    def write(tx: Transaction) -> None:
        events.append(tx, job.number, "a", jobs.get(tx, "a").last_seq, [("log", b"x" * 4000)] * 256)

    for _ in range(60):
        await store.run(write, durable=False)
    assert store.path.with_name(store.path.name + "-wal").stat().st_size < 32 << 20
