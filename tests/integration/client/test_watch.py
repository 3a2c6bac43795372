"""A page's stream of a real relay, while real jobs run, wait, print and end."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cumulus_jupyter import CumulusClient
from tests.patience import LIMIT_S

News = Iterator[tuple[str, dict[str, Any]]]


def stepping(steps: int) -> int:
    """Moves a bar, and prints."""
    import time

    from cumulus_jupyter import progress

    for step in progress(range(steps), label="steps"):
        print("step", step, flush=True)
        time.sleep(0.1)
    return steps


@contextmanager
def watched(client: CumulusClient) -> Iterator[News]:
    """What the page is told, in order."""
    endpoint = client.found.endpoint
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    request = urllib.request.Request(f"{endpoint.url.rstrip('/')}/cumulus/api/v1/watch", headers=headers)

    def news() -> News:
        name = ""
        for line in answer:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])

    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        yield news()


def test_a_job_is_seen_from_its_submission_to_its_end(client: CumulusClient) -> None:
    assert client.run(stepping, 1) == 1
    with watched(client) as news:
        assert [next(news)[0] for _ in range(3)] == ["relay", "jobs", "workers"]
        job = client.submit(stepping, 15, name="stepping")
        seen: list[dict[str, Any]] = []
        held = False
        for name, body in news:
            if name == "workers":
                held = held or any(job.id in worker["jobs"] for worker in body["workers"])
            elif name == "job" and body["id"] == job.id:
                seen.append(body)
                if body["state"] == "COMPLETED":
                    break
    assert job.result(LIMIT_S) == 15
    assert held
    running = [body for body in seen if body["state"] == "RUNNING"]
    done = [body["progress"]["done"] for body in running if body["progress"]]
    assert done and done == sorted(done)
    assert running[-1]["progress"]["total"] == 15
    assert len(seen) < 40  # 15 lines and as many steps of the bar, gathered
    assert seen[-1]["progress"] is None
