"""The runner's routes: one claim wins, events are stored once, an attempt that is over stays over."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from cumulus_jupyter.protocol.errors import ResourceExhausted
from cumulus_server.relay.tokens import new_token
from tests.patience import LIMIT_S

from .harness import Server, log, until


async def test_a_job_goes_from_submission_to_its_result(server: Server) -> None:
    job_id, key = await server.running()
    first = await server.post(key, 1, [log("one\n"), log("two\n", "stderr")])
    assert json.loads(first.body) == {"through": 2, "cancel_requested": False}
    last = await server.post(key, 3, [{"type": "result", "has_result": True, "json": 7}], "COMPLETED")
    assert json.loads(last.body)["through"] == 3
    result = json.loads((await server.fetch("GET", f"/jobs/{job_id}/result")).body)
    assert (result["state"], result["result"]["json"]) == ("COMPLETED", 7)
    events = await server.events(job_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["state"] for event in events if event["type"] == "state"] == [
        "QUEUED",
        "SCHEDULING",
        "RUNNING",
        "COMPLETED",
    ]
    assert server.moving.woken[-1] == job_id


async def test_of_many_claims_one_wins(server: Server) -> None:
    job_id = await server.submit()
    token = await server.moving.begin(job_id)
    answers = await asyncio.gather(*(server.claim(job_id, token, new_token()) for _ in range(20)))
    assert sorted(answer.code for answer in answers) == [200] + [409] * 19


async def test_the_same_runner_may_claim_again(server: Server) -> None:
    job_id = await server.submit({"env": {"A": "b"}, "requirements": ["numpy>=2"]})
    token, key = await server.moving.begin(job_id), new_token()
    first, second = await server.claim(job_id, token, key), await server.claim(job_id, token, key)
    assert first.code == second.code == 200
    assert first.body == second.body
    claimed = json.loads(first.body)
    assert claimed["program"] == {"kind": "cell", "source": "x = 1"}
    assert (claimed["env"], claimed["requirements"], claimed["duration_s"]) == (
        {"A": "b"},
        ["numpy>=2"],
        3600,
    )
    states = [event for event in await server.events(job_id) if event["type"] == "state"]
    assert [event["state"] for event in states] == ["QUEUED", "SCHEDULING", "RUNNING"]


async def test_a_wrong_claim_token_is_refused(server: Server) -> None:
    job_id = await server.submit()
    await server.moving.begin(job_id)
    assert (await server.claim(job_id, new_token(), new_token())).code == 401
    assert (await server.claim("jnone", new_token(), new_token())).code == 401


async def test_a_short_session_key_is_refused(server: Server) -> None:
    job_id = await server.submit()
    token = await server.moving.begin(job_id)
    assert (await server.claim(job_id, token, "short")).code == 400


async def test_a_batch_that_comes_twice_is_stored_once(server: Server) -> None:
    job_id, key = await server.running()
    await server.post(key, 1, [log("a"), log("b")])
    again = await server.post(key, 1, [log("a"), log("b"), log("c")])
    assert json.loads(again.body)["through"] == 3
    texts = [event["text"] for event in await server.events(job_id) if event["type"] == "log"]
    assert texts == ["a", "b", "c"]


async def test_the_last_batch_may_come_again_after_the_end(server: Server) -> None:
    job_id, key = await server.running()
    for _ in range(2):
        answer = await server.post(key, 1, [{"type": "result"}], "COMPLETED")
        assert (answer.code, json.loads(answer.body)["through"]) == (200, 1)
    assert len(await server.events(job_id)) == 5


async def test_a_gap_is_refused(server: Server) -> None:
    _, key = await server.running()
    answer = await server.post(key, 2, [log("late")])
    assert answer.code == 409
    assert "number 1" in json.loads(answer.body)["next"]


async def test_nothing_is_taken_after_the_end(server: Server) -> None:
    job_id, key = await server.running()
    await server.post(key, 1, [], "COMPLETED")
    assert (await server.post(key, 1, [log("late")])).code == 409
    assert (await server.post(key, 1, [log("late")], "FAILED")).code == 409
    assert (await server.fetch("PUT", "/runner/values/x", b"v", token=key)).code == 409
    assert (await server.fetch("GET", "/runner/control", token=key)).code == 409
    assert (await server.events(job_id))[-1]["state"] == "COMPLETED"


async def test_an_older_attempt_is_fenced_out(server: Server) -> None:
    job_id, old = await server.running()
    token = await server.moving.retry(job_id)
    assert (await server.post(old, 1, [log("ghost")])).code == 409
    assert (await server.claim(job_id, token, new_token(), attempt=1)).code == 409
    key = new_token()
    assert (await server.claim(job_id, token, key, attempt=2)).code == 200
    assert (await server.post(old, 1, [log("ghost")], "COMPLETED")).code == 409
    assert (await server.post(key, 1, [log("second")])).code == 200
    assert "ghost" not in str(await server.events(job_id))


async def test_a_job_to_be_cancelled_cannot_be_claimed(server: Server) -> None:
    job_id = await server.submit()
    token = await server.moving.begin(job_id)
    await server.fetch("DELETE", f"/jobs/{job_id}")
    assert (await server.claim(job_id, token, new_token())).code == 409


async def test_a_cancel_reaches_the_runner_by_acknowledgement_and_by_control(server: Server) -> None:
    job_id, key = await server.running()
    seen: list[bytes] = []
    told = asyncio.Event()

    def take(chunk: bytes) -> None:
        seen.append(chunk)
        if b"event: cancel" in b"".join(seen):
            told.set()

    stream = asyncio.ensure_future(server.fetch("GET", "/runner/control", token=key, streaming_callback=take))
    await until(lambda: seen)
    await server.fetch("DELETE", f"/jobs/{job_id}")
    assert server.relay.hub.control(job_id, "cancel")
    await asyncio.wait_for(told.wait(), LIMIT_S)
    answer = await server.post(key, 1, [], "CANCELLED")
    assert answer.code == 200
    await asyncio.wait_for(stream, LIMIT_S)  # the end of the job ends the stream
    assert not server.relay.hub.control(job_id, "cancel")


async def test_a_cancel_that_came_before_the_control_stream_is_told_at_once(server: Server) -> None:
    job_id, key = await server.running()
    await server.fetch("DELETE", f"/jobs/{job_id}")
    assert json.loads((await server.post(key, 1, [log("x")])).body)["cancel_requested"]
    told = asyncio.Event()
    request = server.fetch(
        "GET", "/runner/control", token=key,
        streaming_callback=lambda chunk: told.set() if b"cancel" in chunk else None,
    )  # fmt: skip
    stream = asyncio.ensure_future(request)
    await asyncio.wait_for(told.wait(), LIMIT_S)
    await server.post(key, 2, [], "CANCELLED")
    await asyncio.wait_for(stream, LIMIT_S)


async def test_the_first_result_stands(server: Server) -> None:
    job_id, key = await server.running()
    await server.post(key, 1, [{"type": "result", "json": 1}])
    await server.post(key, 2, [{"type": "result", "json": 2}], "COMPLETED")
    result = json.loads((await server.fetch("GET", f"/jobs/{job_id}/result")).body)
    assert result["result"]["json"] == 1


async def test_events_that_are_none_are_refused(server: Server) -> None:
    job_id, key = await server.running()
    for event in ({"type": "state", "state": "COMPLETED"}, {"type": "log"}, {"type": "nonsense"}, {}):
        answer = await server.post(key, 1, [event])
        assert answer.code == 400, answer.body
    assert (await server.post(key, 0, [log("x")])).code == 400
    assert (await server.post(key, 1, [], "RUNNING")).code == 400
    assert (await server.fetch("POST", "/runner/events", "not json", token=key)).code == 400
    assert len(await server.events(job_id)) == 3


async def test_a_relay_that_ends_a_job_for_its_own_reason_is_not_called_cancelled(server: Server) -> None:
    from cumulus_server.store import jobs

    job_id, key = await server.running()
    error = {"code": "DEADLINE_EXCEEDED", "message": "too long", "next": ""}
    await server.relay.store.run(lambda tx: jobs.set_target(tx, job_id, "FAILED", error))
    await server.post(key, 1, [], "CANCELLED")
    view = json.loads((await server.fetch("GET", f"/jobs/{job_id}")).body)
    assert (view["state"], view["error"]["code"], view["message"]) == (
        "FAILED",
        "DEADLINE_EXCEEDED",
        "too long",
    )


async def test_values_are_stored_served_and_shared_with_later_jobs(server: Server) -> None:
    job_id, key = await server.running()
    content = bytes(range(256)) * 20_000
    for name in ("model", "@outputs", "größe"):
        answer = await server.fetch("PUT", f"/runner/values/{quote(name)}", content, token=key)
        assert answer.code == 200, answer.body
    view = json.loads((await server.fetch("GET", f"/jobs/{job_id}")).body)
    assert view["values"] == ["@outputs", "größe", "model"]
    assert (await server.fetch("GET", f"/jobs/{job_id}/values/model")).body == content
    assert (await server.fetch("GET", f"/jobs/{job_id}/values/other")).code == 404
    _, later = await server.running()
    assert (await server.fetch("GET", f"/runner/values/{job_id}/model", token=later)).body == content
    assert (await server.fetch("GET", f"/runner/values/{job_id}/other", token=later)).code == 404


async def test_values_have_names_and_a_limit(server: Server) -> None:
    _, key = await server.running()
    for name in ("..", "a%2Fb", "%2e%2e", "a-b", "1a", "x" * 300):
        assert (await server.fetch("PUT", f"/runner/values/{name}", b"v", token=key)).code in (400, 404)
    object.__setattr__(server.relay.runs, "_values_limit_bytes", 10)
    assert (await server.fetch("PUT", "/runner/values/a", b"123456", token=key)).code == 200
    assert (await server.fetch("PUT", "/runner/values/a", b"654321", token=key)).code == 200
    refused = await server.fetch("PUT", "/runner/values/b", b"123456", token=key)
    assert (refused.code, json.loads(refused.body)["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert (await server.fetch("PUT", "/runner/values/b", b"1234", token=key)).code == 200


async def test_an_older_attempt_cannot_write_over_a_value(server: Server) -> None:
    job_id, old = await server.running()
    await server.fetch("PUT", "/runner/values/v", b"first", token=old)
    token, key = await server.moving.retry(job_id), new_token()
    await server.claim(job_id, token, key, attempt=2)
    await server.fetch("PUT", "/runner/values/v", b"second", token=key)
    assert (await server.fetch("PUT", "/runner/values/v", b"ghost", token=old)).code == 409
    assert (await server.fetch("GET", f"/jobs/{job_id}/values/v")).body == b"second"


async def by_line(server: Server, route: str, key: str, **body: object) -> tuple[int, dict[str, object]]:
    """A request as a runner on this machine makes it."""
    status, _, answer = await server.relay.answer_runner(route, key, json.dumps(body).encode())
    return status, json.loads(answer)


async def test_files_need_not_travel_on_one_machine(server: Server, tmp_path: Path) -> None:
    job_id, key = await server.running()
    assert (await by_line(server, "bundle", key))[0] == 404
    there = tmp_path / "there"
    there.write_bytes(b"kept")
    assert await by_line(server, "value", key, name="v", path=str(there)) == (200, {})
    assert there.exists()
    there.unlink()
    assert (await server.fetch("GET", f"/jobs/{job_id}/values/v")).body == b"kept"


async def test_what_cannot_be_kept_takes_no_room(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise ResourceExhausted("The relay cannot keep what was sent")

    _, key = await server.running()
    there = tmp_path / "there"
    there.write_bytes(b"kept")
    monkeypatch.setattr(server.relay.files, "keep", full)
    assert (await by_line(server, "value", key, name="v", path=str(there)))[0] == 503
    assert there.exists()
    assert not list((server.relay.config.state_dir / "incoming").iterdir())


async def test_what_a_runner_may_not_link_to(server: Server, tmp_path: Path) -> None:
    _, key = await server.running()
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_bytes(b"kept")
    link.symlink_to(there)
    for wrong in (str(link), str(tmp_path), str(tmp_path / "missing"), 7):
        assert (await by_line(server, "value", key, name="v", path=wrong))[0] == 400, wrong
    assert (await by_line(server, "value", key, name="../v", path=str(there)))[0] == 400
    assert (await by_line(server, "value", new_token(), name="v", path=str(there)))[0] == 401
    assert (await by_line(server, "submit", key))[0] == 404


async def test_an_image_whose_python_cannot_read_the_values_runs_nothing(server: Server) -> None:
    job_id = await server.submit({"python": "3.12", "python_exact": True, "image": "mine"})
    token = await server.moving.begin(job_id, executor="docker")
    answer = await server.claim(job_id, token, new_token())
    assert answer.code == 409
    job = json.loads((await server.fetch("GET", f"/jobs/{job_id}")).body)
    assert (job["state"], job["error"]["code"], job["error"]["job_id"]) == (
        "FAILED",
        "INVALID_ARGUMENT",
        job_id,
    )
    assert "The image mine has Python 3.11" in job["error"]["message"]
    assert "only Python 3.12 can read" in job["error"]["message"]
    assert "Use an image with Python 3.12" in job["error"]["next"]
    assert server.moving.woken[-1] == job_id
    assert (await server.claim(job_id, token, new_token())).code == 409


async def test_any_python_will_do_where_nothing_is_pickled(server: Server) -> None:
    job_id = await server.submit({"python": "3.12", "image": "mine"})
    token = await server.moving.begin(job_id, executor="docker")
    assert (await server.claim(job_id, token, new_token())).code == 200
