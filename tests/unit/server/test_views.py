"""What a job has last said, kept only where somebody looks; and origins as they are accepted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.protocol.jobs import DeviceView, Origin
from cumulus_server.relay import place
from cumulus_server.relay.specs import decode_submission, encode_spec
from cumulus_server.relay.views import Views
from cumulus_server.store import JobRow, Store, StoredEvent, Transaction, attempts, events, jobs

PLACEMENT: Any = SimpleNamespace(position=lambda job_id: 3)


class Written:
    """A store, and views that hear of its commits."""

    def __init__(self, path: Path) -> None:
        self.views = Views(PLACEMENT)
        self.store = Store(path, self.views.reports.committed)
        self.store.open()

    async def job(self) -> None:
        """A job "a" that runs."""

        def make(tx: Transaction) -> None:
            jobs.insert(tx, jobs.NewJob("a", "me", b'{"program":{}}', b"{}"))
            self.begin(tx)

        await self.store.run(make)

    def begin(self, tx: Transaction) -> None:
        """Give it to a worker."""
        attempts.begin_attempt(tx, "a", executor="process", worker="local", claim_hash="")
        jobs.transition(tx, "a", "SCHEDULING")
        jobs.transition(tx, "a", "RUNNING")

    async def say(self, *bodies: dict[str, Any]) -> None:
        """Let the job report."""

        def write(tx: Transaction) -> list[StoredEvent]:
            job = jobs.get(tx, "a")
            said = [(body["type"], json.dumps(body, separators=(",", ":")).encode()) for body in bodies]
            return events.append(tx, job.number, job.id, job.last_seq, said)

        await self.store.run(write)

    async def look(self) -> tuple[Any, Any]:
        """Its label and done, and its memory."""
        view = await self.store.run(lambda tx: self.views.job(tx, jobs.get(tx, "a")))
        bar = view.progress and (view.progress["label"], view.progress["done"])
        return bar, view.usage and view.usage["memory_bytes"]


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Written]:
    made = Written(tmp_path / "test.db")
    await made.job()
    yield made
    made.store.close()


def bar(name: str, done: float, finished: bool = False) -> dict[str, Any]:
    return {"type": "progress", "id": name, "label": name, "done": done, "finished": finished}


def usage(memory_bytes: int) -> dict[str, Any]:
    return {"type": "resources", "memory_bytes": memory_bytes}


async def test_what_was_said_to_an_earlier_relay_is_found(written: Written) -> None:
    await written.say(bar("old", 1), usage(1), bar("new", 2), usage(2))
    written.views = Views(PLACEMENT)
    assert await written.look() == (("new", 2), 2)


async def test_what_is_said_later_is_heard(written: Written) -> None:
    assert await written.look() == (None, None)
    await written.say(bar("outer", 1), usage(7))
    assert await written.look() == (("outer", 1), 7)


@pytest.mark.parametrize("heard", [True, False])
async def test_a_bar_that_has_ended_gives_way_to_the_one_around_it(written: Written, heard: bool) -> None:
    async def label() -> Any:
        if not heard:
            written.views = Views(PLACEMENT)
        return (await written.look())[0]

    await written.say(bar("outer", 1), bar("inner", 5), bar("inner", 9, finished=True))
    assert await label() == ("outer", 1)
    await written.say(bar("outer", 2, finished=True))
    assert await label() is None


async def test_a_job_that_begins_anew_has_said_nothing(written: Written) -> None:
    await written.say(bar("a", 1), usage(1))
    assert await written.look() == (("a", 1), 1)

    def again(tx: Transaction) -> JobRow:
        jobs.transition(tx, "a", "QUEUED")
        attempts.mark_released(tx, "a", 1)
        return jobs.get(tx, "a")

    row = await written.store.run(again)
    view = await written.store.run(lambda tx: written.views.job(tx, row))
    assert (view.progress, view.usage, view.position) == (None, None, 3)
    await written.store.run(written.begin)
    assert await written.look() == (None, None)


async def test_nothing_is_kept_of_jobs_that_do_not_run(written: Written) -> None:
    known = written.views.reports._known
    assert list(known) == ["a"]
    await written.store.run(lambda tx: jobs.insert(tx, jobs.NewJob("b", "me", b'{"program":{}}', b"{}")))
    assert list(known) == ["a"]
    await written.store.run(lambda tx: jobs.transition(tx, "a", "COMPLETED"))
    assert not known
    assert await written.look() == (None, None)


async def test_many_bars_are_not_all_kept(written: Written) -> None:
    await written.look()
    await written.say(*(bar(str(number), number) for number in range(500)))
    assert (await written.look())[0] == ("499", 499)
    assert len(written.views.reports._known["a"]._bars) == 64


async def test_a_share_is_told_in_one_short_line(written: Written) -> None:
    def hold(tx: Transaction) -> JobRow:
        devices = '[{"id":"g","name":"NVIDIA H100","used_tenths":5}]'
        tx.execute("UPDATE jobs SET devices = ?, enforced_by = 'framework' WHERE id = 'a'", (devices,))
        return jobs.get(tx, "a")

    row = await written.store.run(hold)
    assert row.devices == [DeviceView("g", "NVIDIA H100", used_tenths=5)]
    view = await written.store.run(lambda tx: written.views.job(tx, row))
    assert view.share == "0.5 of NVIDIA H100, held by framework"
    lost = await written.store.run(lambda tx: jobs.transition(tx, "a", "QUEUED").job)
    assert (await written.store.run(lambda tx: written.views.job(tx, lost))).share == ""


def submitted(origin: object) -> Any:
    body = json.dumps({"program": {}, "origin": origin})
    return decode_submission(body.encode())[0]


def test_an_origin_is_kept_whole() -> None:
    origin = {"notebook": "a/ü.ipynb", "cell": "c-1", "kernel": "k"}
    spec = submitted(origin)
    assert spec.origin == Origin(**origin)
    assert json.loads(encode_spec(spec))["origin"] == origin
    assert submitted({}).origin == Origin()
    assert json.loads(encode_spec(submitted({})))["origin"] == vars(Origin())


def test_an_origin_that_is_too_long_or_no_text_is_refused() -> None:
    for wrong in ({"notebook": "x" * 1001}, {"cell": "x" * 101}, {"kernel": "a\nb"}, {"cell": 1}, []):
        with pytest.raises(InvalidArgument):
            submitted(wrong)


def test_a_relay_without_workers_says_what_to_do() -> None:
    found = place.live("http://here/", "r", [], looking=False)
    assert not found.healthy
    assert "add-worker" in found.next
    assert place.live("http://here/", "r", [], looking=True).healthy
