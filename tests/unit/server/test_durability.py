"""What was acknowledged is there after ``kill -9`` at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cumulus_server.store import Store, jobs

WRITER = """
import asyncio, sys
from pathlib import Path
from cumulus_server.store import Store, jobs

async def write(store, lane):
    for number in range(100000):
        job_id = f"{lane}-{number}"
        await store.run(lambda tx: jobs.insert(tx, jobs.NewJob(job_id, "me", b'{"program":{}}', b'{}')))
        sys.stdout.write(job_id + "\\n")
        sys.stdout.flush()

async def main():
    store = Store(Path(sys.argv[1]))
    store.open()
    await asyncio.gather(*(write(store, lane) for lane in range(8)))

asyncio.run(main())
"""


def killed_after(path: Path, acknowledged: int, **env: str) -> list[str]:
    """Ids that a writer acknowledged before it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    ) as writer:
        assert writer.stdout is not None
        ids = []
        for line in writer.stdout:
            ids.append(line.strip())
            if len(ids) == acknowledged:
                writer.send_signal(signal.SIGKILL)
        writer.wait()
    return [job_id for job_id in ids if job_id]


async def kept(path: Path) -> set[str]:
    """Ids in the database, and whether it is sound."""
    store = Store(path)
    store.open()
    rows = await store.run(lambda tx: tx.execute("SELECT id, last_seq FROM jobs").fetchall())
    placed = await store.run(lambda tx: tx.execute("SELECT count(*) FROM events").fetchone()[0])
    check = await store.run(lambda tx: tx.execute("PRAGMA integrity_check").fetchone()[0])
    store.close()
    assert check == "ok"
    assert placed == sum(row["last_seq"] for row in rows)
    return {row["id"] for row in rows}


@pytest.mark.parametrize("acknowledged", [1, 37, 400, 1500])
async def test_nothing_acknowledged_is_lost(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "test.db"
    ids = await asyncio.to_thread(killed_after, path, acknowledged)
    assert len(ids) >= acknowledged
    assert set(ids) <= await kept(path)


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
async def test_a_kill_at_a_commit_keeps_what_was_acknowledged(tmp_path: Path, point: str) -> None:
    path = tmp_path / "test.db"
    ids = await asyncio.to_thread(killed_after, path, 10**6, CUMULUS_FAILPOINT=f"{point}:300")
    found = await kept(path)
    assert set(ids) <= found
    assert len(found) == (299 if point == "before-commit" else 300)


async def test_a_second_kill_after_a_recovery_loses_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    first = await asyncio.to_thread(killed_after, path, 50)
    store = Store(path)
    store.open()
    await store.run(lambda tx: jobs.insert(tx, jobs.NewJob("between", "me", b'{"program":{}}', b"{}")))
    store.close()
    assert {*first, "between"} <= await kept(path)
