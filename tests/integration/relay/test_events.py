"""Event streams: live, resumed without a gap, ended with the job; and logs as text."""

from __future__ import annotations

import asyncio
import json

from tests.patience import LIMIT_S

from .harness import SPEC, TOKEN, Server, log, parse_sse, until


async def test_a_submission_is_followed_on_its_own_connection(server: Server) -> None:
    chunks: list[bytes] = []
    running = asyncio.ensure_future(
        server.fetch(
            "POST", "/jobs", SPEC, headers={"Accept": "text/event-stream"}, streaming_callback=chunks.append
        )
    )
    await until(lambda: server.moving.woken)
    job_id, key = server.moving.woken[0], "1" * 64
    await server.claim(job_id, await server.moving.begin(job_id), key)
    await server.post(key, 1, [log("hello\n")])
    await server.post(key, 2, [{"type": "result"}], "COMPLETED")
    answer = await asyncio.wait_for(running, LIMIT_S)
    assert answer.code == 201
    assert answer.headers["Location"].endswith(job_id)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    events = parse_sse(b"".join(chunks))
    assert [int(event[0]) for event in events] == list(range(1, 7))
    assert [event[1] for event in events] == ["state", "state", "state", "log", "result", "state"]
    assert events[-1][2]["state"] == "COMPLETED"
    assert all(event[2]["seq"] == int(event[0]) for event in events)


async def test_a_stream_resumes_where_it_broke(server: Server) -> None:
    job_id, key = await server.running()
    await server.post(key, 1, [log(str(number)) for number in range(100)], "COMPLETED")
    whole = parse_sse((await server.fetch("GET", f"/jobs/{job_id}/events")).body)
    assert len(whole) == 104
    for after in (0, 1, 50, 103, 104, 500):
        by_query = await server.fetch("GET", f"/jobs/{job_id}/events?after={after}")
        assert parse_sse(by_query.body) == whole[after:]
        by_header = await server.fetch("GET", f"/jobs/{job_id}/events", headers={"Last-Event-ID": str(after)})
        assert parse_sse(by_header.body) == whole[after:]


async def test_many_followers_see_every_event_once(server: Server) -> None:
    job_id, key = await server.running()
    followers = [
        asyncio.ensure_future(server.fetch("GET", f"/jobs/{job_id}/events?after={after}"))
        for after in range(5)
    ]
    sent = 0
    for size in (1, 700, 3, 1200):  # more than is kept in memory, too
        await server.post(key, sent + 1, [log("x" * 100)] * size)
        sent += size
    await server.post(key, sent + 1, [], "FAILED")
    for after, follower in enumerate(followers):
        seqs = [int(event[0]) for event in parse_sse((await asyncio.wait_for(follower, LIMIT_S)).body)]
        assert seqs == list(range(after + 1, sent + 5))
    assert server.relay.hub.followed == 0


async def test_a_quiet_stream_shows_signs_of_life(server: Server) -> None:
    object.__setattr__(server.relay.config, "heartbeat_s", 0.05)
    job_id, key = await server.running()
    alive = asyncio.Event()

    def take(chunk: bytes) -> None:
        if chunk.startswith(b":"):
            alive.set()

    follower = asyncio.ensure_future(server.fetch("GET", f"/jobs/{job_id}/events", streaming_callback=take))
    await asyncio.wait_for(alive.wait(), LIMIT_S)
    await server.post(key, 1, [], "COMPLETED")
    await asyncio.wait_for(follower, LIMIT_S)


async def test_a_reader_that_leaves_is_forgotten(server: Server) -> None:
    job_id, _ = await server.running()
    host, port = "127.0.0.1", server.serverapp.port
    reader, writer = await asyncio.open_connection(host, port)
    path = f"/cumulus/api/v1/jobs/{job_id}/events"
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    await reader.readuntil(b"RUNNING")
    assert server.relay.hub.followed == 1
    writer.close()
    await writer.wait_closed()
    await until(lambda: not server.relay.hub.followed)


async def test_events_come_as_a_json_page_where_that_is_wanted(server: Server) -> None:
    job_id, key = await server.running()
    await server.post(key, 1, [log("a"), log("b")])
    page = await server.fetch(
        "GET", f"/jobs/{job_id}/events?after=2&limit=2", headers={"Accept": "application/json"}
    )
    assert [event["seq"] for event in json.loads(page.body)["events"]] == [3, 4]
    for wrong in ("after=-1", "after=x", "limit=0", "after=99999999999999999999"):
        assert (await server.fetch("GET", f"/jobs/{job_id}/events?{wrong}")).code == 400
    for wrong in ("x", "-1", "9" * 5000):
        wrong_id = {"Last-Event-ID": wrong}
        assert (await server.fetch("GET", f"/jobs/{job_id}/events", headers=wrong_id)).code == 400


async def test_logs_are_plain_text_together_or_apart(server: Server) -> None:
    job_id, key = await server.running()
    odd = "nul \0 broken \ufffd ünï\n"
    await server.post(key, 1, [log("out\n"), log("err\n", "stderr"), log(odd)] + [log("x")] * 300)
    path = f"/jobs/{job_id}/logs"
    both = await server.fetch("GET", path)
    assert both.headers["Content-Type"].startswith("text/plain")
    assert both.body.decode() == "out\nerr\n" + odd + "x" * 300
    assert (await server.fetch("GET", f"{path}?stream=stderr")).body == b"err\n"
    assert (await server.fetch("GET", f"{path}?stream=stdout")).body.decode() == "out\n" + odd + "x" * 300
    assert (await server.fetch("GET", f"{path}?stream=x")).code == 400


async def test_the_hub_keeps_nothing_of_ended_jobs(server: Server) -> None:
    for _ in range(20):
        job_id, key = await server.running()
        following = asyncio.ensure_future(server.fetch("GET", f"/jobs/{job_id}/events"))
        control = asyncio.ensure_future(server.fetch("GET", "/runner/control", token=key))
        await server.post(key, 1, [log("x")])
        await server.post(key, 2, [], "COMPLETED")
        await asyncio.wait_for(asyncio.gather(following, control), LIMIT_S)
    hub = server.relay.hub
    assert (hub._channels, hub._controls) == ({}, {})
    assert server.relay.census.active == 0
