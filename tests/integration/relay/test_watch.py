"""One stream for a page: what there is, and then what changes, gathered; for the jobs of one owner."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cumulus_jupyter.protocol.jobs import DeviceView, Holder, WorkerView
from cumulus_server.relay import watch

from .harness import ByName, Server, log, until
from .pages import connected, watching


async def test_the_life_of_a_job_as_a_page_sees_it(server: Server) -> None:
    async with watching(server) as page:
        assert [name for name, _ in page.news] == ["relay", "jobs", "workers"]
        assert page.of("relay")[0]["kind"] == "embedded"
        assert page.of("relay")[0]["healthy"]
        assert page.of("jobs") == [{"jobs": []}]
        origin = {"notebook": "a/b.ipynb", "cell": "c1", "kernel": "k1"}
        job_id, key = await server.running({"origin": origin, "name": "In[3]"})
        await page.until(lambda: "RUNNING" in page.states(job_id))
        assert page.of("job")[-1]["origin"] == origin
        bar = {"type": "progress", "id": "p", "label": "epochs", "done": 3, "total": 10}
        await server.post(key, 1, [bar, {"type": "resources", "memory_bytes": 5}, log("one\n")])
        await page.until(lambda: page.of("job")[-1]["progress"])
        told = page.of("job")[-1]
        assert told["progress"] == {"id": "p", "label": "epochs", "done": 3, "total": 10, "unit": ""}
        assert told["usage"]["memory_bytes"] == 5
        await server.post(key, 4, [log("two\n")], "COMPLETED")
        await page.until(lambda: "COMPLETED" in page.states(job_id))
        assert page.of("job")[-1]["progress"] is None
        assert page.of("job")[-1]["last_seq"] == 8
    await until(lambda: server.relay.watch.watchers == 0)


async def test_who_comes_back_is_told_how_it_is_now(server: Server) -> None:
    async with watching(server):
        job_id, key = await server.running()
    await until(lambda: server.relay.watch.watchers == 0)
    await server.post(key, 1, [log("x\n")], "FAILED")
    async with watching(server) as again:
        assert again.states(job_id) == ["FAILED"]
        assert again.of("workers")[0]["workers"][0]["id"] == "local"


async def test_a_burst_is_gathered(server: Server) -> None:
    async with watching(server) as page:
        job_id, key = await server.running()
        await page.until(lambda: "RUNNING" in page.states(job_id))
        before, loop = len(page.of("job")), asyncio.get_running_loop()
        started = loop.time()
        for number in range(100):
            await server.post(key, number + 1, [log("x\n")])
        await page.until(lambda: page.views(job_id)[-1]["last_seq"] == 103)
        assert len(page.of("job")) - before <= (loop.time() - started) / watch.GATHER_S + 2


async def test_a_place_in_the_queue_is_told_anew_when_others_move(server: Server) -> None:
    async with watching(server) as page:
        server.moving.placement.line = {}
        first, second = await server.submit(), await server.submit()
        server.moving.placement.line = {first: 1, second: 2}
        await page.until(lambda: page.views(second) and page.views(second)[-1]["position"] == 2)
        server.moving.placement.line = {second: 1}  # nothing is committed with this
        await page.until(lambda: page.views(second)[-1]["position"] == 1)


async def test_workers_are_told_when_they_change(server: Server) -> None:
    async with watching(server) as page:
        server.moving.placement.become(WorkerView("local", "process", "down", 2.0, 1024, message="it sleeps"))
        await page.until(lambda: len(page.of("workers")) == 2)
        assert page.of("workers")[1]["workers"][0]["state"] == "down"
        place = page.of("relay")[-1]
        assert not place["healthy"]
        assert "it sleeps" in place["message"]
        assert "add-worker" in place["next"]
        server.moving.placement.version += 1  # as when a job came and went meanwhile
        server.moving.placement.become(WorkerView("local", "process", "ready", 2.0, 1024))
        await page.until(lambda: len(page.of("workers")) == 3)
        assert page.of("relay")[-1]["healthy"]
        assert len(page.of("relay")) == 3


async def test_the_relay_is_not_ill_while_it_looks_for_its_workers(server: Server) -> None:
    server.moving.placement.looking = True
    server.moving.placement.become()
    async with watching(server) as page:
        assert page.of("relay")[0]["healthy"]
        assert page.of("relay")[0]["message"] == "Its workers are being looked for"


async def test_more_than_a_few_changes_come_as_all_jobs(server: Server) -> None:
    async with watching(server) as page:
        ids = [await server.submit() for _ in range(130)]
        await page.until(lambda: all(page.views(job_id) for job_id in ids))
        numbers = [job["created_ms"] for job in page.of("jobs")[-1]["jobs"]]
        assert numbers == sorted(numbers, reverse=True)
    async with watching(server) as later:
        assert {job["id"] for job in later.of("jobs")[0]["jobs"]} == set(ids)  # all of them are active


async def test_pages_end_with_the_relay(server: Server) -> None:
    async with watching(server) as page:
        await server.relay.stop()
        await page.until(lambda: page.ended)
    answer = await server.fetch("GET", "/watch")
    assert answer.code == 503
    place = json.loads((await server.fetch("GET", "/relay")).body)
    assert (place["kind"], place["healthy"], place["message"]) == (
        "embedded", False, "The relay is shutting down",
    )  # fmt: skip
    assert place["next"]


async def test_a_quiet_page_hears_signs_of_life(server: Server) -> None:
    object.__setattr__(server.relay.config, "heartbeat_s", 0.05)
    async with connected(server) as reader:
        await asyncio.wait_for(reader.readuntil(b": still here\n\n"), 60)


async def test_people_watch_their_own_jobs_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server.serverapp.web_app.settings, "identity_provider", ByName())
    async with watching(server, "ann") as ann, watching(server, "bob") as bob:
        theirs = await server.submit({"name": "hers"}, token="ann")
        his = await server.submit({"name": "his"}, token="bob")
        gpu = DeviceView("g0", "GPU", used_tenths=5, holders=[Holder(theirs, "", 3), Holder(his, "", 2)])
        server.moving.placement.become(WorkerView("w", "process", "ready", 2.0, 1024, [gpu]))
        for page, mine, other in ((ann, theirs, his), (bob, his, theirs)):
            await page.until(lambda page=page, mine=mine: page.views(mine) and len(page.of("workers")) > 1)
            assert page.views(other) == []
            holders = page.of("workers")[-1]["workers"][0]["devices"][0]["holders"]
            assert [each["tenths"] for each in holders] == [3, 2]
            assert [each["job_id"] for each in holders if each["job_id"]] == [mine]
            assert [each["name"] for each in holders if each["job_id"]] == [page is ann and "hers" or "his"]
    listed = json.loads((await server.fetch("GET", "/workers", token="bob")).body)["workers"]
    assert listed[0]["devices"][0]["holders"][0] == {"job_id": "", "name": "", "tenths": 3}


async def test_a_slow_page_is_told_what_is_true_when_it_reads(server: Server) -> None:
    async with watching(server) as page:
        await page.until(lambda: page.of("workers"))
        slow: Any = server.relay.watch.open("local")
        with slow:
            await slow.next(60)
            job_id, key = await server.running()
            for number in range(1, 300):
                await server.post(key, number, [log("x" * 1000)])
            await server.post(key, 300, [], "COMPLETED")
            [(name, body)] = await slow.next(60)
            assert name == "job"
            assert json.loads(body)["state"] == "COMPLETED"
        await page.until(lambda: "COMPLETED" in page.states(job_id))
