"""Shares of GPUs on a real Swarm: booked over SSH, waited for, given back, whatever comes in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.homes import Home, wait_for
from tests.patience import LIMIT_S
from tests.rig import Rig

from .containers import Gate, gate, settle, swarm_settings
from .gpu_workers import GpuWorkers
from .relays import RelayProcess

pytestmark = pytest.mark.timeout(1200)


class Shared:
    """A relay with workers that have GPUs."""

    def __init__(self, home: Home, rig: Rig) -> None:
        self.relay = RelayProcess(home)
        self.workers = GpuWorkers(rig, self.relay)

    def submit(self, gpu: float, source: str = "1", **spec: Any) -> str:
        """Submit a job with this share."""
        return self.relay.submit(source, resources={"gpu": gpu, "duration_s": 600}, **spec)

    def until(self, job_id: str, state: str = "RUNNING") -> Any:
        """The job, once it is in this state."""
        assert wait_for(lambda: self.relay.job(job_id)["state"] == state, LIMIT_S, 0.1), self.relay.job(
            job_id
        )
        return self.relay.job(job_id)

    def waiting(self, job_id: str, words: str) -> None:
        """The job waits, and is told so in these words."""

        def told() -> bool:
            job = self.relay.job(job_id)
            return job["state"] == "QUEUED" and words in job["message"]

        assert wait_for(told, LIMIT_S, 0.1), self.relay.job(job_id)

    def completed(self, job_id: str) -> Any:
        """The job, which ends well."""
        job = self.relay.wait_end(job_id)
        assert job["state"] == "COMPLETED", (job, self.relay.log[-4000:])
        return job

    def nothing_booked(self, *workers: str) -> None:
        """Within a minute nothing of the relay's is booked."""
        held: dict[str, Any] = {}

        def free() -> bool:
            held.update({worker: self.workers.bookings(worker) for worker in workers})
            return not any(held.values())

        assert wait_for(free, 60.0, 0.2), (held, self.relay.log[-4000:])


@pytest.fixture
def shared(home: Home, rig: Rig, job_image: str) -> Iterator[Shared]:
    """A relay with the rig's Swarm; its workers have no GPUs yet."""
    settle(home, **swarm_settings(rig, job_image, container_slots=20))
    made = Shared(home, rig)
    made.relay.start()
    made.relay.wait_ready()
    yield made
    made.relay.stop()
    made.workers.whole()
    made.workers.forget()


@pytest.fixture
def held(rig: Rig) -> Iterator[Gate]:
    """Holds jobs up until the test lets them go on."""
    with gate(rig.runner_host) as opened:
        yield opened


def test_shares_fill_devices_and_wait_for_one_another(shared: Shared, held: Gate, rig: Rig) -> None:
    shared.workers.add("worker1", 1)
    half, third = shared.submit(0.5, held.question), shared.submit(0.3, held.question)
    assert {shared.until(half)["worker"], shared.until(third)["worker"]} == {"worker1"}
    assert shared.workers.taken("worker1") == 0.8

    second = shared.submit(0.5, held.question)
    shared.waiting(second, "0.2 free")
    refused = shared.relay.insist(
        "POST", "jobs", {"program": {"kind": "cell", "source": "1"}, "resources": {"gpu": 0.5}, "wait": False}
    )
    assert refused.status == 503 and refused.json["code"] == "RESOURCE_EXHAUSTED", refused.body

    shared.workers.add("worker2", 1)
    assert shared.until(second)["worker"] == "worker2", "what one device cannot hold goes to the next worker"
    whole = shared.submit(1)
    shared.waiting(whole, "whole GPU")

    held.open()
    assert [shared.completed(job)["attempt"] for job in (half, third, second, whole)] == [1, 1, 1, 1]
    shared.nothing_booked("worker1", "worker2")

    for words in ("resources", "0.5"):
        assert words in str(shared.relay.job(half)), "the job still tells what it had"
    too_much = shared.relay.insist(
        "POST", "jobs", {"program": {"kind": "cell", "source": "1"}, "resources": {"gpu": 2}}
    )
    assert too_much.status == 503 and "max available: 1" in too_much.json["message"], too_much.body


def test_ten_tenths_share_a_device_and_the_eleventh_waits(shared: Shared, held: Gate) -> None:
    shared.workers.add("worker1", 1)
    jobs = [shared.submit(0.1, held.question) for _ in range(10)]
    for job in jobs:
        assert shared.until(job)["worker"] == "worker1"
    assert shared.workers.taken("worker1") == 1.0 and len(shared.workers.bookings("worker1")) == 10
    eleventh = shared.submit(0.1)
    shared.waiting(eleventh, "0 free")
    held.open()
    for job in [*jobs, eleventh]:
        shared.completed(job)
    shared.nothing_booked("worker1")


def test_a_worker_that_cannot_book_is_passed_over(shared: Shared) -> None:
    shared.workers.add("worker1", 1)
    shared.workers.add("worker2", 1)
    assert shared.completed(shared.submit(0.5))["worker"] in ("worker1", "worker2")

    shared.workers.stop_sshd("worker1")
    assert shared.completed(shared.submit(1))["worker"] == "worker2"
    assert shared.completed(shared.submit(1))["worker"] == "worker2"
    shared.workers.start_sshd("worker1")

    shared.workers.kill_chronosd("worker2")
    assert shared.completed(shared.submit(1))["worker"] == "worker1"
    shared.workers.start_chronosd("worker2")

    foreign = shared.workers.book("worker1", 0, 0.8)
    assert shared.completed(shared.submit(0.9))["worker"] == "worker2"
    shared.workers.release("worker1", foreign)
    shared.nothing_booked("worker1", "worker2")


def test_a_job_that_nobody_can_book_for_fails_with_the_reason(shared: Shared) -> None:
    shared.workers.add("worker1", 1)
    shared.workers.book("worker1", 0, 0.8)
    job = shared.relay.wait_end(shared.submit(0.5))
    assert job["state"] == "FAILED", job
    assert "Chronos partition creation failed" in job["error"]["message"], job
    assert job["error"]["job_id"] == job["id"] and job["error"]["next"], job


def test_a_relay_that_is_killed_leaves_no_booking(shared: Shared) -> None:
    shared.workers.add("worker1", 1)
    jobs = [shared.submit(0.2, "import time; time.sleep(0.5); 7", retries=2) for _ in range(8)]
    for _ in range(4):
        wait_for(lambda: bool(shared.workers.bookings("worker1")), 20.0, 0.02)
        shared.relay.kill()
        shared.relay.start()
        shared.relay.wait_ready()
    for job in jobs:
        shared.completed(job)
    shared.nothing_booked("worker1")
