"""A job's log by the page: from its end, backwards, and what came since; however long it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cumulus_server.relay import log_pages
from cumulus_server.store import Transaction, jobs
from cumulus_server.store.queries import sql

from .harness import Server, log


async def page(server: Server, job_id: str, query: str = "") -> dict[str, Any]:
    """One page."""
    answer = await server.fetch("GET", f"/jobs/{job_id}/log{query}")
    assert answer.code == 200, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.body)
    return found


def text_of(found: dict[str, Any]) -> str:
    """What it says."""
    return "".join(event["text"] for event in found["events"])


async def test_a_short_log_is_one_page(server: Server) -> None:
    job_id, key = await server.running()
    assert await page(server, job_id) == {"events": [], "earlier": False, "skipped_lines": 0}
    await server.post(key, 1, [log("a\n"), {"type": "clear_output"}, log("b", "stderr")])
    found = await page(server, job_id)
    assert [(each["seq"], each["stream"], each["text"]) for each in found["events"]] == [
        (4, "stdout", "a\n"), (6, "stderr", "b"),
    ]  # fmt: skip
    assert all(each["time_ms"] for each in found["events"])
    assert not found["earlier"]
    assert await page(server, job_id, "?after=6") == {"events": [], "earlier": False, "skipped_lines": 0}
    assert text_of(await page(server, job_id, "?after=4")) == "b"
    assert text_of(await page(server, job_id, "?before=6")) == "a\n"
    assert text_of(await page(server, job_id, "?after=0&before=4")) == ""


async def test_a_long_log_is_read_from_its_end_to_its_beginning(server: Server) -> None:
    job_id, key = await server.running()
    lines = [f"line {number:05} {'x' * 88}\n" for number in range(10_000)]
    for start in range(0, 10_000, 1000):
        await server.post(key, start + 1, [log(line) for line in lines[start : start + 1000]])
    found = await page(server, job_id)
    text, pages = text_of(found), 1
    assert found["skipped_lines"] == 0  # nobody had read any before
    while found["earlier"]:
        assert sum(len(json.dumps(each)) for each in found["events"]) < 2 * log_pages.PAGE_BYTES
        found = await page(server, job_id, f"?before={found['events'][0]['seq']}")
        text, pages = text_of(found) + text, pages + 1
    assert text == "".join(lines)
    assert 4 < pages < 20


async def test_who_follows_a_fast_log_gets_its_newest_page_and_is_told_what_is_missing(
    server: Server,
) -> None:
    job_id, key = await server.running()
    first, second, third = (log("\n".join("x" * 9 for _ in range(15_000)) + "\n") for _ in range(3))
    await server.post(key, 1, [first])
    seen = (await page(server, job_id))["events"][-1]["seq"]
    await server.post(key, 2, [second, third])
    found = await page(server, job_id, f"?after={seen}")
    assert [each["seq"] for each in found["events"]] == [seen + 2]
    assert found["earlier"]
    assert found["skipped_lines"] == 15_000
    between = await page(server, job_id, f"?after={seen}&before={seen + 2}")
    assert [each["seq"] for each in between["events"]] == [seen + 1]
    assert not between["earlier"]


async def test_what_is_too_much_to_count_is_not_counted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "_COUNTED_BYTES", 1 << 20)
    job_id, key = await server.running()
    await server.post(key, 1, [log("x\n" * 100_000)] * 10)
    found = await page(server, job_id, "?after=0")
    assert found["earlier"]
    assert found["skipped_lines"] is None


async def test_many_small_events_are_a_page_as_well(server: Server) -> None:
    job_id, key = await server.running()
    await server.post(key, 1, [log(f"{number}\n") for number in range(2500)])
    found = await page(server, job_id)
    assert len(found["events"]) == log_pages.PAGE_EVENTS
    assert found["earlier"]
    assert found["events"][-1]["text"] == "2499\n"


async def test_bounds_that_are_no_numbers_are_refused(server: Server) -> None:
    job_id = await server.submit()
    for query in ("after=x", "before=-1", "after=99999999999"):
        assert (await server.fetch("GET", f"/jobs/{job_id}/log?{query}")).code == 400


async def test_a_page_is_found_by_its_place_and_active_jobs_by_their_index(server: Server) -> None:
    job_id = await server.submit()

    def plans(tx: Transaction) -> list[str]:
        assert jobs.get(tx, job_id)
        explained = [
            tx.execute(f"EXPLAIN QUERY PLAN {statement}", bound).fetchall()
            for statement, bound in (
                (sql.events_of_type_before, (0, 9, "log")),
                (sql.reports_after, (0, 9)),
                (sql.newest_and_active, {"owner": "local", "newest": 1, "active": 1}),
            )
        ]
        return [" ".join(row["detail"] for row in rows) for rows in explained]

    before, reports, active = await server.relay.store.run(plans)
    for plan in (before, reports):
        assert plan == "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    assert "USING COVERING INDEX jobs_owner (owner=?)" in active
    assert "SCAN jobs USING INDEX jobs_unfinished" in active
