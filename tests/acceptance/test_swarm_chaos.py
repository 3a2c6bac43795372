"""Many jobs on a Swarm whose relay is killed, and whose workers are killed, cut off and mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.homes import Home, wait_for
from tests.patience import LIMIT_S
from tests.rig import Rig

from .containers import TIDY_S, Belongings, Gate, gate, of_rig, settle, swarm_settings, token_files
from .relays import RelayProcess

#: Jobs that run at once on one worker.
SLOTS = 10
LINES = 5
SOURCE = f"""
import time
for line in range({LINES}):
    print("line", line, flush=True)
    time.sleep(0.05)
6 * 7
"""
SAID = "".join(f"line {line}\n" for line in range(LINES))
#: Seconds in which a worker that went away is noticed, and what follows from it is done.
NOTICED_S = 2 * LIMIT_S

pytestmark = pytest.mark.timeout(1800)


class Swarmed:
    """A relay whose jobs run on the rig, and what was there before its first."""

    def __init__(self, home: Home, rig: Rig) -> None:
        self.home, self.rig = home, rig
        self.relay = RelayProcess(home)
        self.before: Belongings = of_rig(rig)

    def restart(self) -> None:
        """``kill -9``, and another relay in its place."""
        self.relay.kill()
        self.relay.start()

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs as their owner sees them."""
        listed: list[dict[str, Any]] = self.relay.insist("GET", "jobs?limit=500").json["jobs"]
        return listed

    def count(self, *states: str, worker: str = "") -> int:
        """How many jobs are in these states (on this worker) now."""
        return sum(job["state"] in states and worker in ("", job["worker"]) for job in self.jobs())

    def until(self, state: str, count: int = 1, worker: str = "", timeout_s: float = 3 * LIMIT_S) -> None:
        """Wait until so many jobs are in a state."""
        assert wait_for(lambda: self.count(state, worker=worker) >= count, timeout_s, 0.1), self.jobs()

    def check(self, ids: list[str]) -> None:
        """Each job is complete, with one result, and every event is there once."""
        for job_id in ids:
            job = self.relay.wait_end(job_id, 4 * LIMIT_S)
            assert job["state"] == "COMPLETED", (job, self.relay.log[-3000:])
            events = self.relay.events(job_id)
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), job_id
            assert [event["json"] for event in events if event["type"] == "result"] == [42], job_id
            states = Counter(event["state"] for event in events if event["type"] == "state")
            assert states["COMPLETED"] == 1 and not states["FAILED"], job_id

    def nothing_left(self) -> None:
        """No container, service, secret or volume on any node, and no token on this one."""

        def left() -> list[str]:
            found = of_rig(self.rig).beyond(self.before)
            return found + [str(path) for path in token_files(self.home)]

        assert wait_for(lambda: not left(), TIDY_S, 0.5), (left(), self.relay.log[-3000:])


def said_by_last_attempt(events: list[dict[str, Any]]) -> str:
    """What was printed after the last time that the job began to run."""
    begun = max(event["seq"] for event in events if event.get("state") == "RUNNING")
    return "".join(event["text"] for event in events if event["type"] == "log" and event["seq"] > begun)


@pytest.fixture
def swarmed(home: Home, rig: Rig, job_image: str) -> Iterator[Swarmed]:
    """A relay with the Swarm alone; the rig is whole again afterwards."""
    settle(home, **swarm_settings(rig, job_image, container_slots=SLOTS))
    made = Swarmed(home, rig)
    made.relay.start()
    made.relay.wait_ready()
    yield made
    made.relay.stop()
    rig.up()


@pytest.fixture
def held(rig: Rig) -> Iterator[Gate]:
    """What holds jobs up until the test lets them go on."""
    with gate(rig.runner_host) as opened:
        yield opened


def test_fifty_jobs_at_once(swarmed: Swarmed) -> None:
    ids = [swarmed.relay.submit(SOURCE) for _ in range(50)]
    swarmed.check(ids)
    for job_id in ids:
        assert said_by_last_attempt(swarmed.relay.events(job_id)) == SAID
    spread = Counter(job["worker"] for job in swarmed.jobs())
    assert len(spread) == 2 and min(spread.values()) >= 10, spread
    swarmed.nothing_left()


def test_fifty_jobs_while_the_relay_is_killed_three_times(swarmed: Swarmed) -> None:
    ids = [swarmed.relay.submit(SOURCE, f"job-{number}") for number in range(50)]
    for ended in (5, 15, 25):
        swarmed.until("COMPLETED", ended)
        swarmed.restart()
    swarmed.check(ids)
    for job_id in ids:
        events = swarmed.relay.events(job_id)
        assert said_by_last_attempt(events) == SAID
        # One that no runner had claimed yet may be started anew; code that has begun is not.
        assert sum(event.get("state") == "RUNNING" for event in events) == 1, events
    swarmed.nothing_left()


def test_a_worker_is_killed_in_the_middle_of_twenty_jobs(swarmed: Swarmed, held: Gate) -> None:
    ids = [swarmed.relay.submit(held.question + SOURCE, retries=2) for _ in range(20)]
    for worker in ("worker1", "worker2"):
        swarmed.until("RUNNING", 5, worker)
    swarmed.rig.kill("worker1")
    lost = [job["id"] for job in swarmed.jobs() if (job["worker"], job["state"]) == ("worker1", "RUNNING")]
    held.open()
    swarmed.check(ids)
    views = {job["id"]: job for job in swarmed.jobs()}
    assert lost
    for job_id in lost:
        assert (views[job_id]["attempt"], views[job_id]["worker"]) == (2, "worker2"), views[job_id]
        told = " ".join(event.get("message", "") for event in swarmed.relay.events(job_id))
        assert "worker1" in told, told
    for job_id in ids:
        assert said_by_last_attempt(swarmed.relay.events(job_id)) == SAID
    swarmed.rig.start("worker1")
    swarmed.nothing_left()


def test_a_job_without_retries_fails_with_its_worker(swarmed: Swarmed, held: Gate) -> None:
    job_id = swarmed.relay.submit(held.question + SOURCE)
    swarmed.until("RUNNING")
    worker = swarmed.relay.job(job_id)["worker"]
    swarmed.rig.kill(worker)
    assert wait_for(lambda: swarmed.count("FAILED") == 1, NOTICED_S, 0.1)
    job = swarmed.relay.job(job_id)
    assert job["error"]["code"] == "UNAVAILABLE" and worker in job["message"], job
    swarmed.rig.start(worker)
    swarmed.nothing_left()


def test_a_worker_is_cut_off_and_mended(swarmed: Swarmed, held: Gate) -> None:
    """Its job runs elsewhere by then: what it left is fenced out, ended and removed."""
    source = "print('begun', flush=True)" + held.question + SOURCE
    job_id = swarmed.relay.submit(source, retries=1)
    swarmed.until("RUNNING")
    first = swarmed.relay.job(job_id)["worker"]
    cut_off = of_rig(swarmed.rig).containers[first] - swarmed.before.containers[first]
    assert cut_off
    swarmed.rig.cut(first)
    assert wait_for(lambda: swarmed.relay.job(job_id)["attempt"] == 2, NOTICED_S, 0.1)
    swarmed.until("RUNNING")
    assert swarmed.relay.job(job_id)["worker"] != first
    swarmed.rig.mend(first)

    def still_there() -> frozenset[str]:
        return of_rig(swarmed.rig).containers[first] & cut_off

    # The second attempt runs on: the first is ended although the job is not.
    assert wait_for(lambda: not still_there(), NOTICED_S, 0.5)
    assert swarmed.relay.job(job_id)["state"] == "RUNNING"
    held.open()
    swarmed.check([job_id])
    assert said_by_last_attempt(swarmed.relay.events(job_id)) == "begun\n" + SAID
    swarmed.nothing_left()
