"""Jobs over HTTP: submitted once, listed, cancelled, refused with a reason."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import zipfile
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import ResourceExhausted, Unavailable

from .harness import SPEC, Server, log, until


def multipart(
    spec: dict[str, Any], bundle: bytes | None, part: str = "bundle"
) -> tuple[bytes, dict[str, str]]:
    """A multipart body and its headers."""
    parts = [
        b'--edge\r\nContent-Disposition: form-data; name="spec"\r\nContent-Type: application/json\r\n\r\n'
        + json.dumps(spec).encode()
    ]
    if bundle is not None:
        parts.append(
            b'--edge\r\nContent-Disposition: form-data; name="%s"; filename="b.zip"\r\n\r\n' % part.encode()
            + bundle
        )
    return b"\r\n".join([*parts, b"--edge--\r\n"]), {"Content-Type": "multipart/form-data; boundary=edge"}


def zipped(**files: bytes) -> bytes:
    """A stored zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


async def test_a_bundle_arrives_whole_at_the_runner(server: Server) -> None:
    bundle = zipped(data=bytes(range(256)) * 40_000)
    body, headers = multipart(SPEC, bundle)
    answer = await server.fetch("POST", "/jobs", body, headers=headers)
    assert answer.code == 201, answer.body
    view = json.loads(answer.body)
    assert answer.headers["Location"].endswith(f"/cumulus/api/v1/jobs/{view['id']}")
    token, key = await server.moving.begin(view["id"]), "7" * 64
    claimed = json.loads((await server.claim(view["id"], token, key)).body)
    assert claimed["bundle_bytes"] == len(bundle)
    assert (await server.fetch("GET", "/runner/bundle", token=key)).body == bundle


async def test_a_job_without_a_bundle_has_none(server: Server) -> None:
    _, key = await server.running()
    assert (await server.fetch("GET", "/runner/bundle", token=key)).code == 404


async def test_a_submission_is_shown_with_every_field(server: Server) -> None:
    spec = {
        "resources": {"gpu": 0.5, "cpu": 2, "memory_mib": 512, "duration_s": 60},
        "name": "fit", "labels": {"team": "a"}, "requirements": ["numpy>=2"], "executor": "process",
    }  # fmt: skip
    view = json.loads((await server.fetch("GET", f"/jobs/{await server.submit(spec)}")).body)
    assert view["resources"] == spec["resources"]
    assert (view["name"], view["labels"], view["requirements"]) == ("fit", {"team": "a"}, ["numpy>=2"])
    assert (view["state"], view["owner"], view["last_seq"], view["attempt"]) == ("QUEUED", "local", 1, 0)
    plain = json.loads((await server.fetch("GET", f"/jobs/{await server.submit()}")).body)
    assert plain["resources"] == {"gpu": None, "cpu": None, "memory_mib": None, "duration_s": 3600}


async def test_the_same_key_submits_once(server: Server) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await server.fetch("POST", "/jobs", SPEC, headers=headers)
    second = await server.fetch("POST", "/jobs", SPEC, headers=headers)
    assert (first.code, second.code) == (201, 200)
    assert json.loads(first.body)["id"] == json.loads(second.body)["id"]
    other = await server.fetch("POST", "/jobs", {**SPEC, "name": "other"}, headers=headers)
    assert (other.code, json.loads(other.body)["code"]) == (409, "FAILED_PRECONDITION")
    assert len(json.loads((await server.fetch("GET", "/jobs")).body)["jobs"]) == 1


async def test_a_submission_that_comes_again_is_not_refused_for_want_of_the_place_it_has(
    server: Server,
) -> None:
    body, headers = multipart(SPEC, zipped(data=b"x"))
    headers["Idempotency-Key"] = "once"
    first = await server.fetch("POST", "/jobs", body, headers=headers)
    server.moving.placement.refuse = ResourceExhausted("none is free")
    again = await server.fetch("POST", "/jobs", body, headers=headers)
    assert (first.code, again.code) == (201, 200)
    assert json.loads(first.body)["id"] == json.loads(again.body)["id"]
    events = {"Accept": "text/event-stream", **headers}
    seen: list[bytes] = []
    following = asyncio.ensure_future(
        server.fetch("POST", "/jobs", body, headers=events, streaming_callback=seen.append)
    )
    await until(lambda: seen)
    await server.fetch("DELETE", f"/jobs/{json.loads(first.body)['id']}")
    assert b"QUEUED" in seen[0]
    other = await server.fetch("POST", "/jobs", SPEC, headers={"Idempotency-Key": "other"})
    assert other.code == 503
    following.cancel()
    assert len(list(server.relay.files.kept())) == 1


async def test_jobs_are_listed_by_the_page_and_by_state_and_label(server: Server) -> None:
    ids = [await server.submit({"labels": {"n": str(number), "all": ""}}) for number in range(5)]
    ids.reverse()
    page = json.loads((await server.fetch("GET", "/jobs?limit=2")).body)
    assert [job["id"] for job in page["jobs"]] == ids[:2]
    more = json.loads((await server.fetch("GET", f"/jobs?limit=3&cursor={page['next_cursor']}")).body)
    assert ([job["id"] for job in more["jobs"]], more["next_cursor"]) == (ids[2:], None)

    async def found(query: str) -> list[str]:
        return [job["id"] for job in json.loads((await server.fetch("GET", f"/jobs?{query}")).body)["jobs"]]

    assert await found("label=n%3D3") == [ids[1]]
    assert await found("label=all") == ids
    assert await found("label=all%3D") == ids
    assert await found("label=none") == []
    await server.moving.begin(ids[0])
    assert await found("state=SCHEDULING") == [ids[0]]
    assert await found("state=QUEUED") == ids[1:]
    for wrong in ("state=DONE", "limit=0", "limit=x", "cursor=-1"):
        assert (await server.fetch("GET", f"/jobs?{wrong}")).code == 400


async def test_cancelling_twice_or_too_late_changes_nothing(server: Server) -> None:
    job_id, key = await server.running()
    for _ in range(2):
        view = json.loads((await server.fetch("DELETE", f"/jobs/{job_id}")).body)
        assert (view["state"], view["cancel_requested"]) == ("RUNNING", True)
    await server.post(key, 1, [], "CANCELLED")
    late = await server.fetch("DELETE", f"/jobs/{job_id}")
    assert (late.code, json.loads(late.body)["state"]) == (200, "CANCELLED")
    assert not json.loads(late.body)["cancel_requested"]


async def test_a_job_that_is_not_there_is_not_found(server: Server) -> None:
    answer = await server.fetch("GET", "/jobs/jnothing")
    body = json.loads(answer.body)
    assert (answer.code, body["code"], body["job_id"]) == (404, "NOT_FOUND", "jnothing")
    assert body["next"]


WRONG: list[tuple[dict[str, Any], str]] = [
    *(
        ({"resources": {"gpu": gpu}}, "Must be 0.1-0.9 or whole number 1-8")
        for gpu in (0, 2.3, 0.1482, 1.5, -1, 9)
    ),
    ({"resources": {"gpu": "abc"}}, "$.resources.gpu"),
    *(({"resources": {"duration_s": duration}}, "Must be 60-86400") for duration in (59, 86_401)),
    ({"resources": {"memory_mib": 0}}, "memory"),
    ({"resources": {"cpu": 0}}, "CPU"),
    ({"unknown": 1}, "unknown"),
    ({"program": []}, "$.program"),
    ({"env": {"a-b": "1"}}, "a-b"),
    ({"env": {"CUMULUS_TOKEN": "1"}}, "CUMULUS_TOKEN"),
    ({"labels": {"": "1"}}, "label"),
    ({"requirements": ["numpy >< 2"]}, "numpy"),
    ({"requirements": ["--index-url=x"]}, "index-url"),
    ({"retries": 11}, "retries"),
    ({"python": "three"}, "three"),
    ({"name": "a\nb"}, "name"),
]


@pytest.mark.parametrize(("spec", "named"), WRONG)
async def test_a_wrong_field_is_named_and_nothing_is_queued(
    server: Server, spec: dict[str, Any], named: str
) -> None:
    answer = await server.fetch("POST", "/jobs", {**SPEC, **spec})
    body = json.loads(answer.body)
    assert (answer.code, body["code"]) == (400, "INVALID_ARGUMENT")
    assert named in body["message"]
    assert json.loads((await server.fetch("GET", "/jobs")).body)["jobs"] == []


async def test_a_body_that_is_no_submission_is_refused(server: Server) -> None:
    body, headers = multipart(SPEC, b"x", "other")
    empty, _ = multipart({}, None)
    for sent, kind in (
        (b"{}", "application/json"), (b"[1", "application/json"), (b"", "application/json"),
        (b"x", "text/plain"), (body, headers["Content-Type"]), (empty, headers["Content-Type"]),
        (b"garbage", headers["Content-Type"]), (b"", headers["Content-Type"]), (b"\xff", "application/json"),
    ):  # fmt: skip
        answer = await server.fetch("POST", "/jobs", sent, headers={"Content-Type": kind})
        assert answer.code == 400, (sent, kind, answer.code)


@pytest.mark.parametrize(
    "refusal", [Unavailable("No GPU workers available"), ResourceExhausted("none is free")]
)
async def test_what_has_no_place_is_refused(server: Server, refusal: Exception) -> None:
    server.moving.placement.refuse = refusal
    answer = await server.fetch("POST", "/jobs", SPEC)
    assert answer.code == 503
    assert json.loads(answer.body)["message"] == str(refusal)


async def test_a_hostile_bundle_is_refused(server: Server) -> None:
    for bundle in (b"no zip", zipped(**{"../up": b"x"}), zipped(**{"/abs": b"x"})):
        body, headers = multipart(SPEC, bundle)
        answer = await server.fetch("POST", "/jobs", body, headers=headers)
        assert (answer.code, json.loads(answer.body)["code"]) == (400, "INVALID_ARGUMENT")
    assert not list(server.relay.files.kept())
    assert not list((server.relay.config.state_dir / "incoming").iterdir())


async def test_a_bundle_over_the_limit_is_refused_while_it_comes(server: Server) -> None:
    object.__setattr__(server.relay.config, "bundle_limit_bytes", 100_000)
    body, headers = multipart(SPEC, zipped(data=bytes(2_000_000)))
    answer = await server.fetch("POST", "/jobs", body, headers=headers)
    assert (answer.code, json.loads(answer.body)["code"]) == (413, "PAYLOAD_TOO_LARGE")
    huge, headers = multipart(SPEC, zipped(data=bytes(80_000_000)))
    announced = await server.fetch("POST", "/jobs", huge, headers=headers)
    assert (announced.code, json.loads(announced.body)["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert not list((server.relay.config.state_dir / "incoming").iterdir())
    assert (await server.fetch("POST", "/jobs", SPEC)).code == 201


async def test_another_version_is_told_apart(server: Server) -> None:
    answer = await server.fetch("POST", "/jobs", SPEC, headers={"Cumulus-Protocol": "999"})
    body = json.loads(answer.body)
    assert (answer.code, body["code"]) == (409, "FAILED_PRECONDITION")
    assert "999" in body["message"]
    assert (await server.fetch("GET", "/health", headers={"Cumulus-Protocol": "1"})).code == 200


async def test_health_and_counts(server: Server) -> None:
    health = json.loads((await server.fetch("GET", "/health")).body)
    assert (health["status"], health["protocol"], health["pythons"]) == ("ok", 1, ["3.11"])
    assert health["relay_id"] == server.relay.relay_id
    empty = json.loads((await server.fetch("GET", "/stats")).body)
    assert (empty["success_rate"], empty["average_duration_s"]) == (None, None)
    for outcome in ("COMPLETED", "COMPLETED", "FAILED", "CANCELLED"):
        job_id, key = await server.running()
        if outcome == "CANCELLED":
            await server.fetch("DELETE", f"/jobs/{job_id}")
        await server.post(key, 1, [log("x")], outcome)
    await server.submit()
    await server.running()
    stats = json.loads((await server.fetch("GET", "/stats")).body)
    assert stats.pop("average_duration_s") >= 0
    assert stats == {
        "active": 2, "queued": 1, "completed": 2, "failed": 1, "cancelled": 1, "success_rate": 2 / 3
    }  # fmt: skip
    assert server.relay.census.active == 2
    assert server.app.current_activity() == {"jobs": 2}


async def test_simulated_devices_are_declared_kept_and_refused(server: Server) -> None:
    path = "/workers/local/simulated-devices"
    assert json.loads((await server.fetch("PUT", path, {"count": 2})).body) == {"count": 2}
    assert server.moving.placement.simulated == 2
    for wrong in ({"count": -1}, {"count": 65}, {"count": "x"}, {}):
        assert (await server.fetch("PUT", path, wrong)).code == 400
    server.moving.placement.gpus = True
    assert json.loads((await server.fetch("PUT", path, {"count": 3})).body) == {"count": 0}
    assert server.moving.placement.simulated == 2
    object.__setattr__(server.relay.config, "allow_simulated_devices", False)
    assert (await server.fetch("PUT", path, {"count": 1})).code == 409


async def test_workers_are_listed(server: Server) -> None:
    workers = json.loads((await server.fetch("GET", "/workers")).body)["workers"]
    assert [worker["id"] for worker in workers] == ["local"]


async def test_a_full_disk_is_told_and_nothing_is_queued(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    body, headers = multipart(SPEC, zipped(data=bytes(1000)))
    for place in ("os.fsync", "cumulus_server.relay.files._sync_one", "pathlib.Path.replace"):
        with monkeypatch.context() as broken:
            broken.setattr(place, full)
            answer = await server.fetch("POST", "/jobs", body, headers=headers)
        assert (answer.code, json.loads(answer.body)["code"]) == (503, "RESOURCE_EXHAUSTED"), place
    listed = json.loads((await server.fetch("GET", "/jobs")).body)["jobs"]
    assert all(job["cancel_requested"] for job in listed)
    assert not list((server.relay.config.state_dir / "incoming").iterdir())
    assert (await server.fetch("POST", "/jobs", body, headers=headers)).code == 201


async def test_a_path_where_nothing_is_answers_as_the_api_does(server: Server) -> None:
    for method, path in (("GET", "/nosuch"), ("POST", "/jobs/x/nosuch"), ("GET", "/"), ("GET", "")):
        answer = await server.fetch(method, path)
        assert (answer.code, json.loads(answer.body)["code"]) == (404, "NOT_FOUND"), path
        assert "openapi.json" in json.loads(answer.body)["next"]
    assert (await server.fetch("GET", "/nosuch", token=None)).code == 401
